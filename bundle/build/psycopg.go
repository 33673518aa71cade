package build

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// Where Patroni's driver for PostgreSQL comes from. The wheel brings a libpq and
// an OpenSSL of its own, which nobody validated for FIPS (psycopg2#1170); the
// distribution's package uses the system's.
const (
	psycopgWheel = "wheel"
	psycopgRPM   = "rpm"
)

const psycopgBinary = "psycopg2-binary"

// noDriverWheels refuses wheels that bring an OpenSSL of their own where the
// driver is to be the distribution's: Patroni would take the wheel. The error is
// of class manifest.ErrUsage.
func noDriverWheels(artifacts []manifest.Artifact) error {
	var errs []error
	for _, a := range artifacts {
		if slices.Contains([]string{psycopgBinary, "psycopg-binary"}, a.Name) {
			errs = append(errs, manifest.Classify(manifest.ErrUsage, fmt.Errorf(
				"psycopg rpm: the wheel %s %s comes all the same, wanted by %s: leave its extra or requirement out, as in patroni[etcd3]",
				a.Name, a.Version, strings.Join(a.WantedBy, ", "))))
		}
	}
	return errors.Join(errs...)
}
