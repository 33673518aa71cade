package pypi

import "sync"

// flight computes each value once, however many ask for it at the same time. An
// error is not kept: who asks later tries again.
type flight[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*flightCall[V]
}

type flightCall[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// do returns the value of a key, computing it when nobody has before.
func (f *flight[K, V]) do(key K, compute func() (V, error)) (V, error) {
	f.mu.Lock()
	if f.calls == nil {
		f.calls = map[K]*flightCall[V]{}
	}
	if call, ok := f.calls[key]; ok {
		f.mu.Unlock()
		<-call.done
		return call.value, call.err
	}
	call := &flightCall[V]{done: make(chan struct{})}
	f.calls[key] = call
	f.mu.Unlock()
	call.value, call.err = compute()
	if call.err != nil {
		f.mu.Lock()
		delete(f.calls, key)
		f.mu.Unlock()
	}
	close(call.done)
	return call.value, call.err
}
