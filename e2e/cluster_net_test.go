//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// address is the node's own on the bed's network (scripts/testbed/bed/net.py).
func (n *node) address() string {
	if n.name == "control" {
		return "10.77.0.10"
	}
	number, err := strconv.Atoi(strings.TrimPrefix(n.name, "n"))
	if err != nil {
		panic("e2e: " + n.name + " is no name of a node")
	}
	return fmt.Sprintf("10.77.0.%d", 10+number)
}

// namespace is the node's network namespace. It outlives the node, and a node
// that is cut off is reached there all the same.
func (n *node) namespace() string { return strings.TrimSuffix(n.Hand, "hand") + n.name }

// within calls f on a thread that is in a network namespace. The thread ends
// with the call: no other goroutine ever runs there.
func within(namespace string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		file, err := os.Open("/run/netns/" + namespace)
		if err != nil {
			done <- err
			return
		}
		defer file.Close()
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter %s: %w", namespace, err)
			return
		}
		done <- f()
	}()
	return <-done
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialIn opens connections as a program in that namespace would. Addresses are
// numeric: a name would be asked for elsewhere. What is sent and not answered
// for three seconds is given up, as an application that cares sets it.
func dialIn(namespace string) dialFunc {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}}
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = within(namespace, func() (err error) {
			conn, err = dialer.DialContext(ctx, network, address)
			return err
		})
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			err = giveUpAfter(tcp, 3*time.Second)
		}
		return conn, err
	}
}

func giveUpAfter(conn *net.TCPConn, limit time.Duration) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}

// serveIn serves on an address of a namespace until the test is over.
func serveIn(t *testing.T, namespace, address string, handler http.Handler) {
	t.Helper()
	var listener net.Listener
	err := within(namespace, func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		t.Fatalf("serve at %s: %v", address, err)
	}
	server := &http.Server{Handler: handler}
	t.Cleanup(func() { server.Close() })
	go server.Serve(listener)
}

// httpIn is a client in a namespace that keeps nothing open.
func httpIn(namespace string, timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DialContext: dialIn(namespace), DisableKeepAlives: true}}
}

// holds says whether an address lies on an interface of the node.
func (n *node) holds(address string) bool {
	found := false
	_ = within(n.namespace(), func() error {
		addresses, err := net.InterfaceAddrs()
		for _, a := range addresses {
			found = found || strings.HasPrefix(a.String(), address+"/")
		}
		return err
	})
	return found
}
