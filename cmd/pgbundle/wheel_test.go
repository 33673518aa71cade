package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// makeWheel writes a wheel of one module, for a name as PEP 427 has it. Further
// words are lines of its METADATA.
func makeWheel(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	parts := strings.SplitN(strings.TrimSuffix(filepath.Base(file), ".whl"), "-", 3)
	if len(parts) != 3 {
		ts.Fatalf("wheel %s: no name of a wheel", args[0])
	}
	info := parts[0] + "-" + parts[1] + ".dist-info/"
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", parts[0], parts[1])
	for _, line := range args[1:] {
		metadata += line + "\n"
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	record := ""
	for _, member := range [][2]string{
		{parts[0] + "/__init__.py", ""},
		{info + "METADATA", metadata},
		{info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: " + parts[2] + "\n"},
		{info + "RECORD", ""},
	} {
		if member[0] == info+"RECORD" {
			member[1] = record + member[0] + ",,\n"
		}
		w, err := z.Create(member[0])
		ts.Check(err)
		_, err = w.Write([]byte(member[1]))
		ts.Check(err)
		sum := sha256.Sum256([]byte(member[1]))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", member[0], base64.RawURLEncoding.EncodeToString(sum[:]), len(member[1]))
	}
	ts.Check(z.Close())
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o755))
	ts.Check(os.WriteFile(file, b.Bytes(), 0o644))
}
