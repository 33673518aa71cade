//go:build e2e

package e2e

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// tarball is one collection of the bed, as the server describes it.
type tarball struct {
	Namespace, Name, Version string
	Dependencies             map[string]string
	requires, file, sha256   string
	size                     int64
}

// galaxyServer serves a folder of collection tarballs by API v3, with an eye on
// what pulp_ansible answers: pages, links without host, a redirect to the file.
func galaxyServer(folder string) (http.Handler, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.tar.gz"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no collections in %s (%w)", folder, err)
	}
	var all []tarball
	for _, file := range files {
		c, err := readTarball(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		all = append(all, c)
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // only a client that is gone makes it fail
	}
	const base = "/galaxy/api/v3/collections/"
	mux.HandleFunc("GET /api/{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"available_versions": map[string]string{"v3": "v3/"}})
	})
	mux.HandleFunc("GET /api/v3/collections/{ns}/{name}/{$}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"namespace": r.PathValue("ns"), "name": r.PathValue("name"), "href": r.URL.Path,
			"versions_url": base + r.PathValue("ns") + "/" + r.PathValue("name") + "/versions/", "created_at": created, "updated_at": created})
	})
	mux.HandleFunc("GET /api/v3/collections/{ns}/{name}/versions/{$}", func(w http.ResponseWriter, r *http.Request) {
		ns, name := r.PathValue("ns"), r.PathValue("name")
		data := []map[string]any{}
		for _, c := range all {
			if c.Namespace == ns && c.Name == name {
				data = append(data, map[string]any{"version": c.Version, "requires_ansible": c.requires,
					"href": base + ns + "/" + name + "/versions/" + c.Version + "/", "created_at": created, "updated_at": created})
			}
		}
		if len(data) == 0 {
			http.NotFound(w, r)
			return
		}
		var next any
		if offset := r.URL.Query().Get("offset"); offset == "" && len(data) > 1 {
			data, next = data[:1], base+ns+"/"+name+"/versions/?limit=100&offset=1"
		} else if offset == "1" {
			data = data[1:]
		}
		answer(w, map[string]any{"meta": map[string]int{"count": len(data)}, "links": map[string]any{"next": next}, "data": data})
	})
	mux.HandleFunc("GET /api/v3/collections/{ns}/{name}/versions/{version}/{$}", func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(all, func(c tarball) bool {
			return c.Namespace == r.PathValue("ns") && c.Name == r.PathValue("name") && c.Version == r.PathValue("version")
		})
		if i < 0 {
			http.NotFound(w, r)
			return
		}
		c := all[i]
		answer(w, map[string]any{
			"namespace": map[string]string{"name": c.Namespace}, "collection": map[string]string{"name": c.Name}, "name": c.Name,
			"version": c.Version, "href": r.URL.Path, "download_url": fmt.Sprintf("http://%s/galaxy/download/%s", r.Host, path.Base(c.file)),
			"artifact": map[string]any{"filename": path.Base(c.file), "sha256": c.sha256, "size": c.size},
			"metadata": map[string]any{"dependencies": c.Dependencies}, "requires_ansible": c.requires,
			"created_at": created, "updated_at": created, "signatures": []string{},
		})
	})
	mux.HandleFunc("GET /download/{file}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/galaxy/store/"+r.PathValue("file"), http.StatusFound)
	})
	mux.Handle("GET /store/", http.StripPrefix("/store/", http.FileServer(http.Dir(folder))))
	return mux, nil
}

const created = "2026-01-02T03:04:05.000000Z"

var requiresLine = regexp.MustCompile(`(?m)^requires_ansible:\s*['"]?([^'"\n]*)`)

func readTarball(file string) (tarball, error) {
	var c tarball
	f, err := os.Open(file)
	if err != nil {
		return c, err
	}
	defer f.Close()
	hash := sha256.New()
	z, err := gzip.NewReader(io.TeeReader(f, hash))
	if err != nil {
		return c, err
	}
	for archive := tar.NewReader(z); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c, err
		}
		switch strings.TrimPrefix(h.Name, "./") {
		case "MANIFEST.json":
			var m struct {
				Info *tarball `json:"collection_info"`
			}
			m.Info = &c
			err = json.NewDecoder(archive).Decode(&m)
		case "meta/runtime.yml":
			text, readErr := io.ReadAll(archive)
			if m := requiresLine.FindSubmatch(text); m != nil {
				c.requires = string(m[1])
			}
			err = readErr
		}
		if err != nil {
			return c, err
		}
	}
	if _, err := io.Copy(io.Discard, io.TeeReader(f, hash)); err != nil {
		return c, err
	}
	info, err := f.Stat()
	if err != nil {
		return c, err
	}
	c.file, c.size, c.sha256 = file, info.Size(), hex.EncodeToString(hash.Sum(nil))
	return c, nil
}
