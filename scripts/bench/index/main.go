// Program index is a Python package index on loopback for benchmarks: what it
// is asked for first comes from the index that pip on this host is set up for,
// and stays in memory from then on.
//
// It prints its address and runs until it is interrupted.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"pgbundle/repo/fetch"
	"pgbundle/repo/pypi"
)

// simpleJSON is the type of a page (PEP 691).
const simpleJSON = "application/vnd.pypi.simple.v1+json"

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal("index: ", err)
	}
}

func run() error {
	upstream, err := openUpstream()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/simple/\n", listener.Addr())
	server := &http.Server{Handler: upstream}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// index answers from memory, and asks its upstream for the rest.
type index struct {
	client   *fetch.Client
	upstream string   // of its pages, without the project's name
	kept     sync.Map // by path: *answer

	mu      sync.Mutex
	folders []string       // of files: addresses that pages name
	numbers map[string]int // of folders
}

// answer is one thing that is kept.
type answer struct {
	once   sync.Once
	body   []byte
	header http.Header
	err    error
}

func openUpstream() (*index, error) {
	config, err := pypi.ConfigurePip("", pypi.PipHost{Env: os.LookupEnv, ReadFile: os.ReadFile, Help: func() ([]byte, error) {
		cmd := exec.Command("python3", "-m", "pip", "install", "--help")
		cmd.Env = append(os.Environ(), "COLUMNS=1000")
		return cmd.Output()
	}})
	if err != nil {
		return nil, err
	}
	var options fetch.Options
	if config.Cert != "" {
		pem, err := os.ReadFile(config.Cert)
		if err != nil {
			return nil, err
		}
		options.CACert = [][]byte{pem}
	}
	client, err := fetch.New(options)
	if err != nil {
		return nil, err
	}
	return &index{client: client, upstream: strings.TrimRight(config.IndexURL, "/"), numbers: map[string]int{}}, nil
}

func (x *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kept, _ := x.kept.LoadOrStore(r.URL.Path, &answer{})
	a := kept.(*answer)
	a.once.Do(func() {
		a.body, a.header, a.err = x.ask(r)
	})
	if a.err != nil {
		http.Error(w, a.err.Error(), http.StatusNotFound)
		return
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// ask gets what a path stands for.
func (x *index) ask(r *http.Request) ([]byte, http.Header, error) {
	if project, ok := strings.CutPrefix(r.URL.Path, "/simple/"); ok {
		return x.page(strings.Trim(project, "/"), "http://"+r.Host)
	}
	folder, file, err := x.folderOf(strings.TrimPrefix(r.URL.Path, "/files/"))
	if err != nil {
		return nil, nil, err
	}
	in, err := x.client.Open(context.Background(), []string{folder + file})
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	body, err := io.ReadAll(in)
	return body, http.Header{"Content-Type": {"application/octet-stream"}, "Cache-Control": {"max-age=365000000, immutable, public"}}, err
}

// page gets the page of a project, and puts addresses of this index into it.
func (x *index) page(project, self string) ([]byte, http.Header, error) {
	res, err := x.client.Get(context.Background(), []string{x.upstream + "/" + project + "/"}, fetch.GetOptions{Header: http.Header{"Accept": {simpleJSON}}})
	if err != nil {
		return nil, nil, err
	}
	var page map[string]any
	if err := json.Unmarshal(res.Body, &page); err != nil {
		return nil, nil, err
	}
	base, err := url.Parse(res.URL)
	if err != nil {
		return nil, nil, err
	}
	files, _ := page["files"].([]any)
	for _, f := range files {
		file, _ := f.(map[string]any)
		link, _ := file["url"].(string)
		at, err := base.Parse(link)
		if err != nil {
			return nil, nil, err
		}
		at.Fragment = ""
		folder, name := path.Split(at.String())
		file["url"] = fmt.Sprintf("%s/files/%d/%s", self, x.number(folder), name)
	}
	body, err := json.Marshal(page)
	return body, http.Header{"Content-Type": {simpleJSON}, "Cache-Control": {"max-age=600, public"}, "Etag": {fmt.Sprintf(`"%s-%d"`, project, len(body))}}, err
}

// folderOf takes "NUMBER/FILE" apart.
func (x *index) folderOf(place string) (folder, file string, err error) {
	number, file, ok := strings.Cut(place, "/")
	n, err := strconv.Atoi(number)
	x.mu.Lock()
	defer x.mu.Unlock()
	if !ok || err != nil || n < 0 || n >= len(x.folders) {
		return "", "", fmt.Errorf("%s: no such path", place)
	}
	return x.folders[n], file, nil
}

// number is what a folder of files goes by here.
func (x *index) number(folder string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, ok := x.numbers[folder]
	if !ok {
		n = len(x.folders)
		x.numbers[folder] = n
		x.folders = append(x.folders, folder)
	}
	return n
}
