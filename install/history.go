package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

const historyName = "history.yaml"

// maxActivations bounds how far back the history goes.
const maxActivations = 200

// history is which releases were active, oldest first. The link is the truth;
// the history is written after it, so that its last entry may be missing.
type history struct {
	Version     int          `yaml:"version"`
	Newest      time.Time    `yaml:"newest"`         // time of the newest bundle that was ever installed here
	Keep        int          `yaml:"keep,omitempty"` // former bundles that stay, as last asked for; 0: DefaultKeep
	Activations []activation `yaml:"activations"`

	stored []byte // what the file holds
}

type activation struct {
	Release string    `yaml:"release"`
	Time    time.Time `yaml:"time"`
}

func readHistory(releases string) (history, error) {
	data, err := readSmall(filepath.Join(releases, historyName), manifest.MaxYAML)
	if errors.Is(err, fs.ErrNotExist) {
		return history{Version: 1}, nil
	}
	if diskFault(err) {
		return history{Version: 1}, fmt.Errorf("read %s: %w", historyName, err)
	}
	h := history{stored: data}
	if err == nil {
		err = manifest.DecodeStrict(data, &h)
	}
	if err != nil {
		err = fmt.Errorf("read %s: %w: it is written anew with the next install", historyName, err)
		return history{Version: 1}, manifest.Classify(manifest.ErrDamaged, err)
	}
	return h, nil
}

// note adds that a release is active now, if the last entry does not say so.
func (h *history) note(release string, now time.Time) {
	if n := len(h.Activations); n > 0 && h.Activations[n-1].Release == release || release == "" {
		return
	}
	h.Activations = append(h.Activations, activation{release, now.UTC().Truncate(time.Second)})
	h.Activations = h.Activations[max(0, len(h.Activations)-maxActivations):]
}

// since is when a release became active for the last time.
func (h *history) since(release string) time.Time {
	for n := len(h.Activations) - 1; n >= 0; n-- {
		if h.Activations[n].Release == release {
			return h.Activations[n].Time
		}
	}
	return time.Time{}
}

// former are the releases that were active before, the last first, each once,
// without the active one.
func (h *history) former(active string) []string {
	var names []string
	seen := map[string]bool{active: true}
	for n := len(h.Activations) - 1; n >= 0; n-- {
		if name := h.Activations[n].Release; !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

func (h *history) write(releases string) error {
	h.Version = 1
	data, err := marshal(h)
	if err != nil {
		return fmt.Errorf("write %s: %w", historyName, err)
	}
	if bytes.Equal(data, h.stored) {
		return nil
	}
	h.stored = data
	return node.WriteFile(filepath.Join(releases, historyName), data, 0o644)
}
