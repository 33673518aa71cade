package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"pgbundle/internal/fixture"
)

var update = flag.Bool("update", false, "renew the expected output in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(swept{m}, map[string]func(){"pgbundle": main})
}

// swept removes the programs after the tests.
type swept struct{ *testing.M }

func (s swept) Run() int {
	status := s.M.Run()
	if dir, err := programs(); err == nil {
		os.RemoveAll(dir)
	}
	return status
}

// programs makes the programs that go into bundles, once for all tests: the
// test's own is not static.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pgbundle-programs-")
	if err != nil {
		return "", err
	}
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "pgbundle-linux-"+arch), ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("build pgbundle for %s: %w\n%s", arch, err, out)
		}
	}
	return dir, nil
})

// programFolder is where the programs are.
func programFolder(t *testing.T) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestScript runs the scripts of testdata/script as users would, each in a
// folder of its own with a server of the hermetic world. Scripts have:
//
//	$URL           the server's address; world.repo and keys (distro.asc, epel.asc, curve.asc) lie in the folder
//	$OTHER         the same server by another host's name
//	$FROM          the flags that point a build at it, with a program for x86_64
//	$ARM           a program for aarch64
//	fault JSON     makes the server misbehave as a fixture.Fault says; fault clear
//	galaxytoken T  makes Galaxy ask for a token
//	asked N PATH   fails unless PATH was asked for N times; asked forget
//	flip FILE N    turns one bit of byte N
//	exits N WORDS  is exec, and fails unless the exit status is N
//	node FILE …    writes the facts of a node, see nodeFacts
//	wheel FILE …   makes a wheel, see makeWheel
func TestScript(t *testing.T) {
	world, err := fixture.New("", fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	folder := programFolder(t)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup:         func(env *testscript.Env) error { return setUp(env, world, folder) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fault": fault, "galaxytoken": askToken, "asked": asked, "flip": flip, "build": buildHere,
			"exits": exits, "node": nodeFacts(world), "wheel": makeWheel,
		},
	})
}

func setUp(env *testscript.Env, world *fixture.World, folder string) error {
	server, url := world.Start(env.T().(testing.TB))
	env.Values["server"] = server
	env.Setenv("URL", url)
	env.Setenv("OTHER", strings.Replace(url, "127.0.0.1", "localhost", 1))
	env.Setenv("PROGRAMS", folder)
	env.Setenv("HOME", env.WorkDir+"/home")
	for _, name := range []string{"XDG_CACHE_HOME", "NETRC", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "ANSIBLE_GALAXY_TOKEN"} {
		env.Setenv(name, "")
	}
	for _, key := range []string{fixture.DistroKey, fixture.EPELKey, fixture.CurveKey} {
		if err := os.WriteFile(env.WorkDir+"/"+key+".asc", world.File("keys/"+key+".asc"), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(env.WorkDir+"/world.repo", world.RepoFile(url), 0o644)
}

// buildHere runs pgbundle build against the world, in the way of exec: with "!"
// it must fail. Further words are further flags; what they name is not set
// twice.
func buildHere(ts *testscript.TestScript, neg bool, args []string) {
	url := ts.Getenv("URL")
	words := []string{"build"}
	given := strings.Join(args, " ")
	for _, flag := range [][2]string{
		{"--repos", "world.repo"}, {"--index-url", url + "/simple"}, {"--galaxy-url", url + "/galaxy"},
		{"--etcd-url", url + "/etcd"}, {"--node-binary", ts.Getenv("PROGRAMS")},
	} {
		if !strings.Contains(given, flag[0]+" ") && (flag[0] != "--repos" || !strings.Contains(given, "--lock ")) {
			words = append(words, flag[0], flag[1])
		}
	}
	err := ts.Exec("pgbundle", append(words, args...)...)
	if (err != nil) != neg {
		ts.Fatalf("pgbundle build: %v", err)
	}
	if exit, ok := err.(*exec.ExitError); ok {
		ts.Setenv("STATUS", strconv.Itoa(exit.ExitCode()))
	}
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s: exit status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func fault(ts *testscript.TestScript, _ bool, args []string) {
	server := ts.Value("server").(*fixture.Server)
	if args[0] == "clear" {
		server.Clear()
		return
	}
	var f fixture.Fault
	ts.Check(json.Unmarshal([]byte(args[0]), &f))
	server.Inject(f)
}

func askToken(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value("server").(*fixture.Server).GalaxyAuth = "Token " + args[0]
}

func asked(ts *testscript.TestScript, neg bool, args []string) {
	server := ts.Value("server").(*fixture.Server)
	if args[0] == "forget" {
		server.Forget()
		return
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	for path, count := range server.Requests() {
		if ok, err := filepath.Match(args[1], path); ok && err == nil {
			got += count.Requests
		}
	}
	if (got == want) == neg {
		ts.Fatalf("%s was asked for %d times", args[1], got)
	}
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	data, err := os.ReadFile(name)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	data[(at+len(data))%len(data)] ^= 4
	ts.Check(os.WriteFile(name, data, 0o644))
	fmt.Fprintf(ts.Stdout(), "flipped byte %d of %s\n", at, args[0])
}
