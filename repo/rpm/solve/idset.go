package solve

import (
	"math/bits"

	"pgbundle/repo/rpm"
)

// idSet is a set of packages as a bitmap.
type idSet struct{ words []uint64 }

func newIDSet(n int) idSet { return idSet{make([]uint64, (n+63)/64)} }

func (s *idSet) has(id rpm.ID) bool { return s.words[id>>6]&(1<<(id&63)) != 0 }
func (s *idSet) add(id rpm.ID)      { s.words[id>>6] |= 1 << (id & 63) }
func (s *idSet) clear()             { clear(s.words) }

// ascending calls f for every package of the set.
func (s *idSet) ascending(f func(rpm.ID)) {
	for w, word := range s.words {
		for ; word != 0; word &= word - 1 {
			f(rpm.ID(w<<6 + bits.TrailingZeros64(word)))
		}
	}
}

// descending calls f for every package of the set, the last loaded first.
func (s *idSet) descending(f func(rpm.ID)) {
	for w := len(s.words) - 1; w >= 0; w-- {
		for word := s.words[w]; word != 0; {
			top := bits.Len64(word) - 1
			f(rpm.ID(w<<6 + top))
			word &^= 1 << top
		}
	}
}
