package pypi

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"pgbundle/manifest"
)

// rawWheel writes members in order; a name that ends in "@" is a link.
func rawWheel(members ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		h := &zip.FileHeader{Name: strings.TrimSuffix(members[i], "@"), Method: zip.Deflate}
		h.SetMode(0o644)
		if strings.HasSuffix(members[i], "@") {
			h.SetMode(0o777 | fs.ModeSymlink)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			panic(err)
		}
		fmt.Fprint(w, members[i+1])
	}
	z.Close()
	return b.Bytes()
}

func TestCheckWheel(t *testing.T) {
	const name = "lib-1-py3-none-any.whl"
	metadata := []string{"lib-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: lib\nVersion: 1\n"}
	wheel := []string{"lib-1.dist-info/WHEEL", "Wheel-Version: 1.0\n"}
	record := []string{"lib-1.dist-info/RECORD", "lib-1.dist-info/RECORD,,\n"}
	all := func(parts ...[]string) (out []string) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	good := all(metadata, wheel, record)
	tests := []struct {
		name, file string
		members    []string
		want       []string // in the error
		class      error
	}{
		{"good", name, good, nil, nil},
		{"other platform", "lib-1-cp39-cp39-win_amd64.whl", good, []string{"it is for cp39-cp39-win_amd64"}, manifest.ErrUnsolvable},
		{"no wheel name", "lib.whl", good, []string{"parse wheel name"}, manifest.ErrDamaged},
		{"up", name, all(good, []string{"../../etc/passwd", "x"}), []string{`member "../../etc/passwd" would be written outside`}, manifest.ErrDamaged},
		{"absolute, drive and backslash", name, all(good, []string{"/etc/passwd", "x", "c:/x", "x", `a\b`, "x"}),
			[]string{`"/etc/passwd" would`, `"c:/x" would`, `"a\\b" would`}, manifest.ErrDamaged},
		{"link", name, all(good, []string{"lib/link@", "/etc"}), []string{"is not a regular file"}, manifest.ErrDamaged},
		{"twice", name, all(good, metadata), []string{"stands there twice"}, manifest.ErrDamaged},
		{"other version", "lib-2-py3-none-any.whl", good, []string{"its metadata is of version 1"}, manifest.ErrDamaged},
		{"other project inside", name, []string{"other-1.dist-info/METADATA", ""}, []string{"it has no .dist-info of lib"}, manifest.ErrDamaged},
		{"two folders", name, all(good, []string{"LIB-1.dist-info/METADATA", ""}), []string{"it has lib-1.dist-info and LIB-1.dist-info"}, manifest.ErrDamaged},
		{"a folder of another project", name, all(good, []string{"other-1.dist-info/METADATA", ""}), []string{"it has lib-1.dist-info and other-1.dist-info"}, manifest.ErrDamaged},
		{"not UTF-8", name, all(wheel, record, []string{"lib-1.dist-info/METADATA", "Name: lib\nVersion: 1\nAuthor: Andr\xe9\n"}), []string{"not UTF-8"}, manifest.ErrDamaged},
		{"scripts", name, all(good, []string{"lib-1.dist-info/entry_points.txt", "# made\n[console_scripts]\nlib = lib.cli:main [extra]\n[lib.plugins]\none=lib\n"}), nil, nil},
		{"scripts that call nothing or leave", name, all(good, []string{"lib-1.dist-info/entry_points.txt", "[console_scripts]\nlib = lib\n[gui_scripts]\n../x=lib:main\nnothing\n"}),
			[]string{`"lib = lib" is no script`, `"../x=lib:main" is no script`, `"nothing" is no script`}, manifest.ErrDamaged},
		{"data", name, all(good, []string{"lib-1.data/scripts/lib", "#!python", "lib-1.data/", "", "lib-1.data/data/", "", "lib-1.data/nonsense/", ""}), nil, nil},
		{"data without a place", name, all(good, []string{"lib-1.data/nonsense/x", "", "lib-1.data/file", ""}),
			[]string{`"lib-1.data/nonsense/x": nothing says where it goes`, `"lib-1.data/file": nothing`}, manifest.ErrDamaged},
		{"no metadata, no WHEEL, no RECORD", name, []string{"lib-1.dist-info/x", ""}, []string{"METADATA is missing", "WHEEL is missing", "RECORD is missing"}, manifest.ErrDamaged},
		{"format", name, all(metadata, record, []string{"lib-1.dist-info/WHEEL", "Wheel-Version: 2.0\n"}), []string{"its wheel version is 2.0"}, manifest.ErrDamaged},
		{"record", name, all(metadata, wheel, []string{"lib-1.dist-info/RECORD", "gone.py,,\nx,y\n"}), []string{`lists "gone.py"`, "RECORD cannot be read"}, manifest.ErrDamaged},
		{"bomb in METADATA", name, all(wheel, record, []string{"lib-1.dist-info/METADATA", strings.Repeat("x", maxMetadata+1)}), []string{"METADATA is larger than"}, manifest.ErrDamaged},
		{"Python", name, all(wheel, record, []string{"lib-1.dist-info/METADATA", "Name: lib\nVersion: 1\nRequires-Python: >=3.12\n"}), []string{"it needs Python >=3.12"}, manifest.ErrUnsolvable},
		{"requirement", name, all(wheel, record, []string{"lib-1.dist-info/METADATA", "Name: lib\nVersion: 1\nRequires-Dist: a b\n"}), []string{"parse requirement"}, manifest.ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := rawWheel(tt.members...)
			err := CheckWheel(bytes.NewReader(data), tt.file, el9)
			if !errors.Is(err, tt.class) {
				t.Errorf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
	for _, data := range [][]byte{nil, []byte("PK"), rawWheel(good...)[:60]} {
		if err := CheckWheel(bytes.NewReader(data), name, el9); !errors.Is(err, manifest.ErrDamaged) {
			t.Errorf("%d bytes: %v", len(data), err)
		}
	}
}

// TestWheelThatLies sets a size in the directory that the member does not have.
func TestWheelThatLies(t *testing.T) {
	data := rawWheel("lib-1.dist-info/METADATA", "Name: lib\nVersion: 1\n", "lib-1.dist-info/WHEEL", "Wheel-Version: 1.0\n", "lib-1.dist-info/RECORD", "", "lib/x", "small")
	at := bytes.LastIndex(data, []byte("lib/x")) - 46
	copy(data[at+24:], []byte{0, 0, 0, 0xf0})
	err := CheckWheel(bytes.NewReader(data), "lib-1-py3-none-any.whl", el9)
	if !errors.Is(err, manifest.ErrDamaged) || !strings.Contains(err.Error(), "claims 4026531840 bytes") {
		t.Errorf("got %v", err)
	}
}
