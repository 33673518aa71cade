package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo"
	"pgbundle/repo/fetch"
	"pgbundle/repo/galaxy"
	"pgbundle/repo/rpm/dnfconf"
	"pgbundle/repo/rpm/repomd"
)

// Sources are the places that a spec names.
type Sources struct {
	Repos    []dnfconf.Repo
	Explicit map[string]bool // ids of repositories that were given by address
	// IndexURL and those up to EtcdURLs are what was asked for: empty leaves it to
	// the lock, and for a new lock to the defaults.
	IndexURL       string
	ExtraIndexURLs []string
	FindLinks      []string
	GalaxyURL      string
	EtcdURLs       []string
	HostPip        HostPip
	NoIndex        error // why no index was found; told when one is needed
	// Credentials are those that stood in the addresses or the repositories'
	// configuration. The addresses above hold none.
	Credentials []fetch.Credential
}

// HostPip is where pip on this host is set up to look.
type HostPip struct {
	IndexURL       string // "": in FindLinks alone
	ExtraIndexURLs []string
	FindLinks      []string
}

// Host is what the host's own configuration says, for a spec that leaves a
// place open.
type Host struct {
	EL    bool    // an EL system: its own repositories are the default
	None  bool    // no repositories are wanted but those that the spec names
	Conf  fs.FS   // /etc/dnf, which holds dnf.conf
	Repos []fs.FS // the folders of .repo files; the first that lists a repository counts
	Vars  []fs.FS // the folders of variables; the first that has one counts
}

// repos reads the host's own repositories as its dnf would.
func (h Host) repos(vars dnfconf.Vars) ([]dnfconf.Repo, error) {
	var main dnfconf.Main
	var err error
	if h.Conf != nil {
		if main, err = dnfconf.ReadMain(h.Conf, "dnf.conf"); err != nil {
			return nil, err
		}
	}
	var all []dnfconf.Repo
	var errs []error
	for _, dir := range h.Repos {
		repos, err := dnfconf.ReadDir(dir, vars, main)
		all, errs = append(all, repos...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all, func(r dnfconf.Repo) bool { return r.Enabled }) {
		return nil, manifest.Classify(manifest.ErrUsage, errors.New("this host has no enabled repository: name a set or a .repo file with --repos"))
	}
	return all, nil
}

// FindSources turns what a spec names into places. The second result are
// sentences for the plan: whose builds these are.
func FindSources(s Spec, host Host) (Sources, []string, error) {
	src := Sources{Explicit: map[string]bool{}}
	src.IndexURL = src.clean(s.IndexURL)
	src.ExtraIndexURLs = each(s.ExtraIndexURLs, src.clean)
	src.FindLinks = each(s.FindLinks, src.withoutUser)
	src.GalaxyURL = src.clean(s.GalaxyURL)
	for _, u := range s.EtcdURLs {
		src.EtcdURLs = append(src.EtcdURLs, src.clean(u))
	}
	sets := s.Repos
	var notes []string
	switch {
	case len(sets) > 0 || len(s.Repositories) > 0 || host.None:
	case host.EL:
		sets = []string{"host"}
	default:
		sets = []string{"rocky"}
		notes = append(notes, "the packages are Rocky Linux's builds, and EPEL's and PGDG's; --repos names others")
	}
	var errs []error
	for _, set := range sets {
		repos, err := s.reposOf(set, host)
		if err != nil {
			errs = append(errs, fmt.Errorf("repositories %s: %w", set, err))
		}
		for _, r := range repos {
			if r.Enabled && !slices.ContainsFunc(src.Repos, func(have dnfconf.Repo) bool { return have.ID == r.ID }) {
				src.Repos = append(src.Repos, r)
			}
		}
	}
	src.place(s)
	errs = append(errs, src.markPresent(s.Present))
	errs = append(errs, src.setPolicies(s))
	for _, r := range src.Repos {
		src.Credentials = append(src.Credentials, credentials(r)...)
		notes = append(notes, passedOver(r)...)
	}
	return src, notes, errors.Join(errs...)
}

// passedOver says which options of a repository are not followed.
func passedOver(r dnfconf.Repo) []string {
	var notes []string
	if r.Proxy != "" || r.NoProxy {
		notes = append(notes, fmt.Sprintf("repository %s: its proxy option is passed over: HTTPS_PROXY and NO_PROXY say which way to go", r.ID))
	}
	if !r.SSLVerify {
		notes = append(notes, fmt.Sprintf("repository %s: sslverify=0 is passed over: name its authority with --cacert or sslcacert", r.ID))
	}
	return notes
}

// galaxy and etcd are places that a new lock is made from.
func (src *Sources) galaxy() string { return cmp.Or(src.GalaxyURL, galaxyServer) }

func (src *Sources) etcd() []string {
	if len(src.EtcdURLs) > 0 {
		return src.EtcdURLs
	}
	return etcdReleases
}

// clean makes a folder's address absolute, and keeps the user and password of a
// URL apart from it. A slash at its end goes.
func (src *Sources) clean(address string) string {
	address = src.withoutUser(address)
	if strings.Contains(address, "://") {
		return strings.TrimRight(address, "/")
	}
	return address
}

// withoutUser is clean for the address of a page, whose links would lead
// elsewhere without the slash at its end.
func (src *Sources) withoutUser(address string) string {
	if address == "" {
		return ""
	}
	if !strings.Contains(address, "://") {
		if path, err := filepath.Abs(address); err == nil {
			return path
		}
		return address
	}
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	password, _ := u.User.Password()
	user := u.User.Username()
	u.User = nil
	src.Credentials = append(src.Credentials, fetch.Credential{Scope: u.String(), User: user, Password: password})
	return u.String()
}

func each(addresses []string, change func(string) string) []string {
	var out []string
	for _, address := range addresses {
		out = append(out, change(address))
	}
	return out
}

// credentials are those of a repository's configuration, for each of its
// addresses.
func credentials(r dnfconf.Repo) []fetch.Credential {
	if r.Credentials.Username == "" {
		return nil
	}
	var list []fetch.Credential
	for _, scope := range scopes(r) {
		if strings.HasPrefix(scope, "http") {
			list = append(list, fetch.Credential{Scope: scope, User: r.Credentials.Username, Password: r.Credentials.Password})
		}
	}
	return list
}

// reposOf reads one set: a built-in one, the host's, or a file.
func (s Spec) reposOf(set string, host Host) ([]dnfconf.Repo, error) {
	target := s.MachineTarget()
	vars := dnfconf.NewVars(target.Release, target.Arch)
	for _, dir := range host.Vars {
		if err := vars.Read(dir); err != nil {
			return nil, err
		}
	}
	switch {
	case slices.Contains(dnfconf.BuiltinSets(), set):
		major, err := strconv.Atoi(s.PostgreSQL)
		if err != nil {
			return nil, err // Check refused it before
		}
		return dnfconf.BuiltinSet(set, target, major)
	case set == "host":
		return host.repos(vars)
	}
	f, err := os.Open(set)
	if err != nil {
		return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("neither a set (%s, host) nor a .repo file: %w",
			strings.Join(dnfconf.BuiltinSets(), ", "), err))
	}
	defer f.Close()
	return dnfconf.Parse(f, vars)
}

// place puts the repositories that were given by address into the set, in the
// order of their ids.
func (src *Sources) place(s Spec) {
	var keys, fingerprints []string
	for _, k := range s.Keys {
		file, fingerprint, given := strings.Cut(k, "#")
		keys = append(keys, src.clean(file))
		if given {
			fingerprints = append(fingerprints, strings.ToUpper(strings.ReplaceAll(fingerprint, " ", "")))
		}
	}
	ids := make([]string, 0, len(s.Repositories))
	for id := range s.Repositories {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		src.Explicit[id] = true
		base := src.clean(s.Repositories[id])
		i := slices.IndexFunc(src.Repos, func(r dnfconf.Repo) bool { return r.ID == id })
		if i < 0 {
			src.Repos = append(src.Repos, dnfconf.Repo{
				ID: id, Name: id, Enabled: true, Signatures: manifest.SignatureRequired, MetadataSignatures: manifest.SignatureOff,
				Priority: 99, Cost: 1000, SSLVerify: true, Role: manifest.Provides,
			})
			i = len(src.Repos) - 1
		}
		r := &src.Repos[i]
		r.BaseURLs, r.Mirrorlist, r.Metalink = []string{base}, "", ""
		// What the configuration would show of us was meant for its own host.
		r.Credentials = dnfconf.Credentials{}
		r.SSLCACert, r.SSLClientCert, r.SSLClientKey = "", "", ""
		if len(keys) > 0 {
			r.GPGKeys, r.Fingerprints = keys, fingerprints
		}
	}
}

// markPresent gives repositories the role of those that the target has.
func (src *Sources) markPresent(ids []string) error {
	var errs []error
	for _, id := range ids {
		i := slices.IndexFunc(src.Repos, func(r dnfconf.Repo) bool { return r.ID == id })
		if i < 0 {
			errs = append(errs, manifest.Classify(manifest.ErrUsage, fmt.Errorf("present %q: there is no repository of that id, only %s", id, src.ids())))
			continue
		}
		src.Repos[i].Role = manifest.Present
	}
	return errors.Join(errs...)
}

// mirrors are the base addresses of a repository, and what its metalink says of
// repomd.xml.
func (o Options) mirrors(ctx context.Context, r dnfconf.Repo) ([]string, []repomd.Checksum, error) {
	if r.Metalink != "" {
		res, err := o.Fetch.Get(ctx, []string{r.Metalink}, fetch.GetOptions{MaxBytes: dnfconf.MaxMirrors})
		if err != nil {
			return nil, nil, fmt.Errorf("read metalink: %w", err)
		}
		link, err := dnfconf.ParseMetalink(res.Body)
		if err != nil {
			return nil, nil, fmt.Errorf("read metalink: %w", err)
		}
		return first(append(slices.Clone(link.URLs), r.BaseURLs...)), link.Checksums, nil
	}
	if r.Mirrorlist == "" || len(r.BaseURLs) > 0 {
		return o.presentFirst(ctx, r.BaseURLs), nil, nil
	}
	res, err := o.Fetch.Get(ctx, []string{r.Mirrorlist}, fetch.GetOptions{MaxBytes: dnfconf.MaxMirrors})
	if err != nil {
		return nil, nil, fmt.Errorf("read mirror list: %w", err)
	}
	target := o.Spec.MachineTarget()
	urls, err := dnfconf.ParseMirrorlist(res.Body, dnfconf.NewVars(target.Release, target.Arch))
	if err != nil {
		return nil, nil, fmt.Errorf("read mirror list: %w", err)
	}
	return first(urls), nil, nil
}

// first keeps the mirrors that are worth trying: a lock that names hundreds
// helps nobody.
func first(urls []string) []string { return urls[:min(len(urls), 8)] }

// sourcesOf gives the sources of a lock their places: where the options name
// one, there, else where the lock says.
func (o Options) sourcesOf(ctx context.Context, lock *manifest.Lock) (map[string]repo.Locator, error) {
	at := map[string]repo.Locator{}
	var errs []error
	wheels, err := o.wheelAddresses(lock)
	if err != nil {
		return nil, err
	}
	for _, s := range lock.Sources {
		urls := s.URLs
		switch s.Kind {
		case manifest.RPM:
			at[s.ID] = fetch.Base{Client: o.Fetch, URLs: o.baseURLs(s)}
		case manifest.Wheel:
			index, err := o.openWheelPlace(wheelPlace{id: s.ID, address: wheels[s.ID]})
			if err != nil {
				errs = append(errs, err)
				continue
			}
			at[s.ID] = index
		case manifest.Collection:
			server, err := galaxy.Open(ctx, o.Fetch, orFirst(o.Sources.GalaxyURL, urls))
			if err != nil {
				errs = append(errs, err)
				continue
			}
			at[s.ID] = server
		case manifest.Release:
			if len(o.Sources.EtcdURLs) > 0 {
				urls = o.Sources.EtcdURLs
			}
			at[s.ID] = fetch.Base{Client: o.Fetch, URLs: urls}
		}
	}
	return at, errors.Join(errs...)
}

// baseURLs are the addresses of a locked repository: those that were given for
// it, or the lock's, each as this host's configuration has it where that knows
// more, such as a token in its query.
func (o Options) baseURLs(s manifest.Source) []string {
	i := slices.IndexFunc(o.Sources.Repos, func(r dnfconf.Repo) bool { return r.ID == s.ID })
	if i < 0 {
		return s.URLs
	}
	live := o.Sources.Repos[i].BaseURLs
	if o.Sources.Explicit[s.ID] {
		return live
	}
	urls := slices.Clone(s.URLs)
	for j, locked := range urls {
		if k := slices.IndexFunc(live, func(u string) bool { return address(u) == locked }); k >= 0 {
			urls[j] = live[k]
		}
	}
	return urls
}

func orFirst(address string, urls []string) string {
	if address == "" && len(urls) > 0 {
		return urls[0]
	}
	return address
}
