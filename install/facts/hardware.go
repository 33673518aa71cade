package facts

import (
	"fmt"
	"strconv"
	"strings"
)

// hardware tells memory and processors.
func (c *collector) hardware() {
	if !c.booted("memory", "cpus") {
		return
	}
	data, err := c.read("proc/meminfo")
	if err == nil {
		c.node.Memory, c.node.Swap, err = parseMeminfo(data)
	}
	if err != nil {
		c.unknown("memory", err)
	}
	online, err := c.word("sys/devices/system/cpu/online")
	if err == nil {
		c.node.CPUs, err = countCPUs(online)
	}
	if err != nil {
		c.unknown("cpus", err)
	}
}

// parseMeminfo reads proc_meminfo(5): memory that the kernel can use and swap,
// in bytes.
func parseMeminfo(data []byte) (memory, swap int64, err error) {
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) != 3 || words[2] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(words[1], 10, 52) // times 1024 it still fits
		if err != nil || n < 0 {
			continue
		}
		switch words[0] {
		case "MemTotal:":
			memory = n * 1024
		case "SwapTotal:":
			swap = n * 1024
		}
	}
	if memory == 0 {
		return 0, 0, fmt.Errorf("/proc/meminfo names no MemTotal")
	}
	return memory, swap, nil
}

// countCPUs counts the processors of a list like "0-3,5" (cpuset(7), list
// format).
func countCPUs(list string) (int, error) {
	count := 0
	for part := range strings.SplitSeq(list, ",") {
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		from, err1 := strconv.ParseUint(low, 10, 16)
		to, err2 := strconv.ParseUint(high, 10, 16)
		if err1 != nil || err2 != nil || to < from {
			return 0, fmt.Errorf("list of processors %q: not numbers and ranges", list)
		}
		count += int(to-from) + 1
	}
	return count, nil
}
