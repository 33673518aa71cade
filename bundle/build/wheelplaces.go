package build

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/pypi"
)

// The ids that places of wheels have in a lock. Of the last two kinds there may
// be several, each with its number: "extra-index-1".
const (
	indexSource      = "pypi"
	extraIndexSource = "extra-index-"
	findLinksSource  = "find-links-"
)

// wheelPlace is a place that wheels come from. Its id says of which kind.
type wheelPlace struct {
	id      string
	address string // without credentials
	index   pypi.Index
}

// wheelPlaces are all of a lock, in pip's order: what pip comes to later wins
// among equals.
type wheelPlaces []wheelPlace

func (w wheelPlaces) join() pypi.Index {
	list := make([]pypi.Place, len(w))
	for i, place := range w {
		list[i] = pypi.Place{ID: place.id, Index: place.index}
	}
	return pypi.Join(list...)
}

func (w wheelPlaces) index(id string) pypi.Index {
	return w[slices.IndexFunc(w, func(place wheelPlace) bool { return place.id == id })].index
}

// wheelPlaces are the places that a new lock is made from. As for pip, what was
// asked for comes on top of what the host is set up for, and a place that both
// name is one.
func (src *Sources) wheelPlaces() (wheelPlaces, error) {
	index := cmp.Or(src.IndexURL, src.HostPip.IndexURL)
	if index == "" && src.NoIndex != nil {
		return nil, src.NoIndex
	}
	var list wheelPlaces
	add := func(prefix string, host, given []string) {
		own := slices.DeleteFunc(slices.Clone(host), func(address string) bool { return slices.Contains(given, address) })
		for i, address := range append(own, given...) {
			list = append(list, wheelPlace{id: prefix + strconv.Itoa(i+1), address: address})
		}
	}
	add(findLinksSource, src.HostPip.FindLinks, src.FindLinks)
	if index != "" {
		list = append(list, wheelPlace{id: indexSource, address: index})
	}
	add(extraIndexSource, src.HostPip.ExtraIndexURLs, src.ExtraIndexURLs)
	return list, nil
}

func (p wheelPlace) isLinks() bool { return strings.HasPrefix(p.id, findLinksSource) }

// openWheelPlaces opens the places that a new lock is made from. Of what they
// have, files that were uploaded at before or later do not count; zero: all do.
func (o Options) openWheelPlaces() (list wheelPlaces, before time.Time, err error) {
	if before, err = o.Spec.excludeNewer(); err != nil {
		return nil, before, err // Check refused it before
	}
	if list, err = o.Sources.wheelPlaces(); err != nil {
		return nil, before, err
	}
	var errs []error
	for i := range list {
		list[i].index, err = o.openWheelPlace(list[i])
		errs = append(errs, err)
	}
	return list, before, errors.Join(errs...)
}

// openWheelPlace opens one place. Its user and password go along to all files of
// its server, since an index may have its files beside its pages.
func (o Options) openWheelPlace(p wheelPlace) (pypi.Index, error) {
	address := p.address
	for _, c := range o.Sources.Credentials {
		if u, err := url.Parse(address); err == nil && c.User != "" && strings.TrimRight(c.Scope, "/") == strings.TrimRight(p.address, "/") {
			u.User = url.UserPassword(c.User, c.Password)
			address = u.String()
		}
	}
	open := pypi.Open
	if p.isLinks() {
		open = pypi.OpenLinks
	}
	index, err := open(o.Fetch, address)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.id, err)
	}
	return index, nil
}

// wheelAddresses say where the wheel sources of a lock are, by their ids: where
// the options name a place, there, else where the lock says, in the host's words
// for it where it has more, such as a token in the query.
func (o Options) wheelAddresses(lock *manifest.Lock) (map[string]string, error) {
	at := map[string]string{}
	ids := map[string][]string{} // of each kind, in the order of their numbers
	here, _ := o.Sources.wheelPlaces()
	for _, s := range lock.Sources {
		if s.Kind != manifest.Wheel {
			continue
		}
		at[s.ID] = orFirst("", s.URLs)
		for _, p := range here {
			if address(p.address) == at[s.ID] && p.isLinks() == (wheelPlace{id: s.ID}).isLinks() {
				at[s.ID] = p.address
			}
		}
		prefix := strings.TrimRight(s.ID, "0123456789")
		ids[prefix] = append(ids[prefix], s.ID)
	}
	if _, known := at[indexSource]; known && o.Sources.IndexURL != "" {
		at[indexSource] = o.Sources.IndexURL
	}
	for prefix, given := range map[string][]string{extraIndexSource: o.Sources.ExtraIndexURLs, findLinksSource: o.Sources.FindLinks} {
		slices.SortFunc(ids[prefix], func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
		// What the host had when the lock was made comes first in it.
		first := len(ids[prefix]) - len(given)
		if first < 0 {
			return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf(
				"%d places are to stand in for the %sN of the lock, which has %d: give as many, or resolve anew with pgbundle lock", len(given), prefix, len(ids[prefix])))
		}
		for i, address := range given {
			at[ids[prefix][first+i]] = address
		}
	}
	return at, nil
}
