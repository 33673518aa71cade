package manifest

// SignaturePolicy says what is asked of a repository's OpenPGP signatures; ""
// stands for SignatureRequired.
type SignaturePolicy string

const (
	SignatureRequired  SignaturePolicy = "required"   // they must be there and good
	SignatureIfPresent SignaturePolicy = "if-present" // they may be absent; what is there must be good
	SignatureOff       SignaturePolicy = "off"        // they are not looked at; digests still are
)

// SignaturePolicies are the policies that there are, the strictest first.
var SignaturePolicies = []SignaturePolicy{SignatureRequired, SignatureIfPresent, SignatureOff}

// Unsigned reports whether packages of the source may come without a signature.
func (s Source) Unsigned() bool {
	return s.Signatures == SignatureIfPresent || s.Signatures == SignatureOff
}
