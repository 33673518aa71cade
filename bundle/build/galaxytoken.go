package build

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// ParseGalaxyToken reads a file with a token of a Galaxy server: the token alone
// on its first line, or "token: …" as ansible-galaxy keeps it in
// ~/.ansible/galaxy_token. Errors quote nothing of the file.
func ParseGalaxyToken(data []byte) (string, error) {
	text := strings.TrimPrefix(strings.TrimSpace(string(data)), "---\n")
	if strings.HasPrefix(text, "token:") {
		var file struct {
			Token string `yaml:"token"`
		}
		if yaml.Unmarshal([]byte(text), &file) != nil {
			return "", manifest.Classify(manifest.ErrUsage, errors.New("it is no YAML, and a token has no colon"))
		}
		text = file.Token
	}
	first, _, _ := strings.Cut(text, "\n")
	if first = strings.TrimSpace(first); first == "" {
		return "", manifest.Classify(manifest.ErrUsage, errors.New("it holds no token"))
	}
	return first, nil
}

// SetGalaxyToken gives the token that the Galaxy server asks for: the server that
// the spec names, else the default one. A server that only a lock names does not
// get it, and a folder needs none.
func (src *Sources) SetGalaxyToken(token string) error {
	server := src.galaxy()
	if u, err := url.Parse(server); token == "" || err != nil || u.Host == "" {
		return nil
	}
	for _, c := range src.Credentials {
		if c.Scope == src.GalaxyURL {
			return manifest.Classify(manifest.ErrUsage, errors.New("the Galaxy server has a user in its address and a token besides: give one of them"))
		}
	}
	src.Credentials = append(src.Credentials, fetch.Credential{Scope: galaxyScope(server), Token: token})
	return nil
}

// galaxyScope is the part of a server that its API lies in. The address of one
// repository of a hub goes on below api/, and its links lead beside it; what
// downloads are redirected to lies elsewhere, and may refuse a token.
func galaxyScope(server string) string {
	base, _, _ := strings.Cut(server+"/", "/api/")
	return strings.TrimRight(base, "/") + "/api/"
}

// refusedByGalaxy says what may help when the server does not let us in.
func refusedByGalaxy(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; a token is given with --galaxy-token-file or ANSIBLE_GALAXY_TOKEN", err)
	}
	return err
}
