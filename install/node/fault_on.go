//go:build faults

package node

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var faultsPassed atomic.Int64

// Fault ends the program as SIGKILL does at the point whose number, counted
// from 1 over the whole run, is PGBUNDLE_KILL_AT. PGBUNDLE_FAULTS names a file
// that each point passed is written to, one a line.
func Fault(point string) {
	n := faultsPassed.Add(1)
	if name := os.Getenv("PGBUNDLE_FAULTS"); name != "" {
		if f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintf(f, "%d %s\n", n, point)
			f.Close()
		}
	}
	if at, err := strconv.ParseInt(strings.TrimSpace(os.Getenv("PGBUNDLE_KILL_AT")), 10, 64); err == nil && at == n {
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	}
}
