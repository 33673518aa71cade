//go:build !faults

package node

// Fault marks a point between two steps where a test may kill the program: see
// fault_on.go. In the program that is shipped it does nothing.
func Fault(string) {}
