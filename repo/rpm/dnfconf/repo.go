// Package dnfconf reads the configuration of dnf: .repo files with their
// variables, mirror lists and metalinks; and it knows the repositories that are
// built in, with the fingerprints of their keys. It must not open a connection
// or read the host's files: it is given readers and folders.
package dnfconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
)

// Repo is the configuration of one repository, its variables replaced.
type Repo struct {
	ID      string
	Name    string
	Enabled bool

	// Where it is: base URLs in order of preference, each ending in no slash, and
	// lists of further ones. dnf asks the metalink first, then the mirror list.
	BaseURLs   []string
	Mirrorlist string
	Metalink   string

	GPGKeys      []string // URLs of key files
	Fingerprints []string // upper-case hex: the only keys to trust; none for .repo files, which trust GPGKeys
	// What is asked of the packages' signatures and of repomd.xml's: in a file
	// gpgcheck=1 (when it says nothing, too) and repo_gpgcheck=1 mean required, 0 off.
	Signatures, MetadataSignatures manifest.SignaturePolicy

	Priority, Cost    int // dnf's defaults: 99 and 1000
	ModuleHotfixes    bool
	SkipIfUnavailable bool
	Exclude, Include  []string // patterns, see rpm.Pool.Filter

	Proxy         string // URL; "" is the surrounding's choice
	NoProxy       bool   // proxy=_none_
	SSLVerify     bool
	SSLCACert     string // file names on the host
	SSLClientCert string
	SSLClientKey  string

	Credentials Credentials // apart, so that nothing prints them with the rest
	Role        manifest.SourceRole
}

// Credentials are for the repository and its proxy. They print as nothing.
type Credentials struct {
	Username, Password           string
	ProxyUsername, ProxyPassword string
}

// String hides the credentials.
func (Credentials) String() string { return "(hidden)" }

// GoString hides the credentials.
func (Credentials) GoString() string { return "dnfconf.Credentials{}" }

// LogValue hides the credentials.
func (Credentials) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// MarshalText hides the credentials.
func (Credentials) MarshalText() ([]byte, error) { return []byte("(hidden)"), nil }

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Parse reads a .repo file. The section [main], which holds no repository, is
// passed over. What is wrong with the enabled repositories is told all at once;
// a disabled one may be incomplete.
func Parse(r io.Reader, vars Vars) ([]Repo, error) { return parse(r, vars, Main{}) }

func parse(r io.Reader, vars Vars, main Main) ([]Repo, error) {
	sections, err := parseINI(r)
	if err != nil {
		return nil, usage(err)
	}
	var repos []Repo
	var errs []error
	for i := range sections {
		s := &sections[i]
		if s.name == "main" {
			continue
		}
		repo, err := newRepo(s, vars, main)
		if err == nil && repo.Enabled {
			err = repo.check()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: repository %s: %w", s.line, s.name, err))
		}
		if slices.ContainsFunc(repos, func(have Repo) bool { return have.ID == repo.ID }) {
			errs = append(errs, fmt.Errorf("line %d: repository %s is listed twice", s.line, repo.ID))
		}
		repos = append(repos, repo)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, usage(err)
	}
	return repos, nil
}

// ReadDir reads the .repo files of a folder such as /etc/yum.repos.d, in the
// order of their names, over what dnf.conf says. A repository that two files list
// counts once, as the first says it.
func ReadDir(dir fs.FS, vars Vars, main Main) ([]Repo, error) {
	files, err := fs.Glob(dir, "*.repo")
	if err != nil {
		return nil, err
	}
	var repos []Repo
	var errs []error
	for _, name := range files {
		more, err := readFile(dir, name, vars, main)
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", name, err))
		}
		for _, r := range more {
			if !slices.ContainsFunc(repos, func(have Repo) bool { return have.ID == r.ID }) {
				repos = append(repos, r)
			}
		}
	}
	return repos, errors.Join(errs...)
}

func readFile(dir fs.FS, name string, vars Vars, main Main) ([]Repo, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parse(f, vars, main)
}

// newRepo reads the options of a section.
func newRepo(s *section, vars Vars, main Main) (Repo, error) {
	o := &options{values: main.under(s.values), vars: vars}
	r := Repo{
		ID:                 vars.Expand(s.name),
		Name:               o.text("name"),
		Enabled:            o.flag("enabled", true),
		Mirrorlist:         o.text("mirrorlist"),
		Metalink:           o.text("metalink"),
		GPGKeys:            o.list("gpgkey"),
		Signatures:         o.policy("gpgcheck", true),
		MetadataSignatures: o.policy("repo_gpgcheck", false),
		Priority:           o.number("priority", 99),
		Cost:               o.number("cost", 1000),
		ModuleHotfixes:     o.flag("module_hotfixes", false),
		SkipIfUnavailable:  o.flag("skip_if_unavailable", false),
		Exclude:            append(o.list("excludepkgs"), o.list("exclude")...),
		Include:            o.list("includepkgs"),
		SSLVerify:          o.flag("sslverify", true),
		SSLCACert:          o.text("sslcacert"),
		SSLClientCert:      o.text("sslclientcert"),
		SSLClientKey:       o.text("sslclientkey"),
		Credentials: Credentials{
			Username: o.secret("username"), Password: o.secret("password"),
			ProxyUsername: o.secret("proxy_username"), ProxyPassword: o.secret("proxy_password"),
		},
		Role: manifest.Provides,
	}
	if r.Name == "" {
		r.Name = r.ID
	}
	r.setProxy(o)
	for _, u := range o.list("baseurl") {
		r.BaseURLs = append(r.BaseURLs, o.withoutUser(u, "baseurl", &r.Credentials.Username, &r.Credentials.Password))
	}
	r.Mirrorlist = o.withoutUser(r.Mirrorlist, "mirrorlist", &r.Credentials.Username, &r.Credentials.Password)
	r.Metalink = o.withoutUser(r.Metalink, "metalink", &r.Credentials.Username, &r.Credentials.Password)
	for i, u := range r.BaseURLs {
		r.BaseURLs[i] = strings.TrimRight(u, "/")
	}
	if r.Metalink == "" && strings.Contains(r.Mirrorlist, "metalink") { // as dnf reads old files
		r.Metalink, r.Mirrorlist = r.Mirrorlist, ""
	}
	return r, errors.Join(o.errs...)
}

func (r *Repo) setProxy(o *options) {
	switch proxy := o.text("proxy"); strings.ToLower(proxy) {
	case "":
	case "_none_", "none":
		r.NoProxy = true
	default:
		r.Proxy = o.withoutUser(proxy, "proxy", &r.Credentials.ProxyUsername, &r.Credentials.ProxyPassword)
	}
}

// check reports what keeps an enabled repository from being used.
func (r *Repo) check() error {
	var errs []error
	if !isID(r.ID) {
		errs = append(errs, fmt.Errorf("the id %q has other characters than letters, digits, -, _, . and colons", r.ID))
	}
	if len(r.BaseURLs) == 0 && r.Mirrorlist == "" && r.Metalink == "" {
		errs = append(errs, errors.New("it has no baseurl, mirrorlist or metalink"))
	}
	for option, urls := range map[string][]string{
		"baseurl": r.BaseURLs, "mirrorlist": nonEmpty(r.Mirrorlist), "metalink": nonEmpty(r.Metalink), "gpgkey": r.GPGKeys,
	} {
		for _, u := range urls {
			if err := checkURL(option, u); err != nil {
				errs = append(errs, err)
			}
		}
	}
	slices.SortStableFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func isID(id string) bool {
	return id != "" && strings.IndexFunc(id, func(c rune) bool {
		return !isNameRune(c) && !strings.ContainsRune("-.:", c)
	}) < 0
}

func checkURL(option, s string) error {
	if v := unset(s); v != "" {
		return fmt.Errorf("%s: the variable %s is not set: give it in /etc/dnf/vars or write the value into the file", option, v)
	}
	if strings.Contains(s, "#") && strings.Contains(s, "://") {
		// Not quoted: what follows may be the rest of a password.
		return fmt.Errorf("%s: the URL holds a #: write %%23 where a password has one", option)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %q is no URL", option, s)
	case u.Scheme == "http", u.Scheme == "https":
		if u.Host == "" {
			return fmt.Errorf("%s: %q has no host", option, s)
		}
		return nil
	case u.Scheme == "file", u.Scheme == "" && path.IsAbs(s):
		return nil
	}
	return fmt.Errorf("%s: %q is neither http, https, file nor an absolute path", option, s)
}

// options reads typed values of a section and collects what is wrong.
type options struct {
	values map[string]string
	vars   Vars
	errs   []error
}

func (o *options) text(key string) string {
	return o.vars.Expand(strings.ReplaceAll(o.values[key], "\n", " "))
}

// secret is text without variables: a password may hold a dollar.
func (o *options) secret(key string) string { return o.values[key] }

// list splits at spaces, newlines and commas.
func (o *options) list(key string) []string {
	return strings.FieldsFunc(o.vars.Expand(o.values[key]), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}

func (o *options) flag(key string, otherwise bool) bool {
	switch strings.ToLower(o.values[key]) {
	case "":
		return otherwise
	case "1", "yes", "true", "on":
		return true
	case "0", "no", "false", "off":
		return false
	}
	o.errs = append(o.errs, fmt.Errorf("%s=%s: want 1 or 0", key, o.values[key]))
	return otherwise
}

// policy reads a flag that asks for signatures.
func (o *options) policy(key string, otherwise bool) manifest.SignaturePolicy {
	if o.flag(key, otherwise) {
		return manifest.SignatureRequired
	}
	return manifest.SignatureOff
}

func (o *options) number(key string, otherwise int) int {
	s := o.values[key]
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < -1_000_000 || n > 1_000_000 {
		o.errs = append(o.errs, fmt.Errorf("%s=%s: want a number", key, s))
		return otherwise
	}
	return n
}

// withoutUser moves user and password out of a URL, so that it can be shown.
func (o *options) withoutUser(s, key string, user, password *string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	at := strings.LastIndexByte(authority, '@')
	if !ok || at < 0 {
		return s
	}
	name, secret, _ := strings.Cut(authority[:at], ":")
	var err error
	if *user == "" {
		if *user, err = url.PathUnescape(name); err == nil {
			*password, err = url.PathUnescape(secret)
		}
	}
	if err != nil {
		o.errs = append(o.errs, fmt.Errorf("%s: user or password is not well escaped", key))
	}
	return scheme + "://" + authority[at+1:] + tail
}

// usage is for what is wrong with a file that somebody wrote.
func usage(err error) error { return manifest.Classify(manifest.ErrUsage, err) }
