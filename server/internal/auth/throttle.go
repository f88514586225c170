package auth

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxWrong is how many requests with a wrong token an address may send per window.
	maxWrong = 10
	window   = time.Minute
	// maxAddresses bounds the memory of the throttle.
	maxAddresses = 4096
)

// throttle counts wrong tokens per address. An agent with an outdated token sends the
// same one again and again: its requests are refused, but others that share its
// address, as behind a proxy, are not hurt by it. Many different ones are guesses, and
// shut the address out until the window has passed, right tokens included.
type throttle struct {
	now func() time.Time

	mu      sync.Mutex
	callers map[netip.Prefix]*caller
	swept   time.Time // when those whose window had passed were last looked for
}

// caller is what is known about an address in its current window.
type caller struct {
	began   time.Time
	wrong   int      // requests with a wrong token
	guesses []uint64 // different wrong tokens, by the beginning of their sums
}

// shut reports whether the address has been guessing.
func (t *throttle) shut(remote string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.callers[network(remote)]
	return c != nil && len(c.guesses) >= maxWrong && t.now().Sub(c.began) < window
}

// wrong notes a wrong token and reports whether there were too many before it.
func (t *throttle) wrong(remote string, sum [sha256.Size]byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, key := t.now(), network(remote)
	c := t.callers[key]
	if c == nil || now.Sub(c.began) >= window {
		t.makeRoom(now)
		c = &caller{began: now}
		t.callers[key] = c
	}
	if c.wrong++; c.wrong > maxWrong {
		return true
	}
	guess := uint64(0)
	for _, b := range sum[:8] {
		guess = guess<<8 | uint64(b)
	}
	for _, before := range c.guesses {
		if before == guess {
			return false
		}
	}
	c.guesses = append(c.guesses, guess)
	return false
}

// makeRoom forgets windows that have passed, or any one if all are fresh.
func (t *throttle) makeRoom(now time.Time) {
	if t.callers == nil {
		t.callers = make(map[netip.Prefix]*caller)
	}
	if len(t.callers) < maxAddresses {
		return
	}
	if now.Sub(t.swept) >= time.Second {
		t.swept = now
		for key, c := range t.callers {
			if now.Sub(c.began) >= window {
				delete(t.callers, key)
			}
		}
	}
	for key := range t.callers {
		if len(t.callers) < maxAddresses {
			return
		}
		delete(t.callers, key)
	}
}

// network returns what stands for a remote address: IPv4 itself, the /64 of IPv6, of
// which one host has plenty. Addresses that are none share one entry.
func network(remote string) netip.Prefix {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := addr.Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	prefix, _ := ip.Prefix(bits) // bits is within the address
	return prefix
}
