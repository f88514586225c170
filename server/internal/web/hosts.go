package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// AnyHost, among [Config.Hosts], lets requests call the server by any name.
const AnyHost = "*"

// checkHost refuses requests that call the server by a name that is not its own. A page of
// another site may make its name lead to this machine, after which its scripts count as ours
// for the browser; but the name they ask for is still that of the page. Addresses, other than
// names, cannot be made to lead elsewhere; still only those of this machine pass.
func (s *Server) checkHost(r *http.Request) error {
	if s.cfg.Hosts == nil || r.Host == "" || slices.Contains(s.cfg.Hosts, AnyHost) { // only HTTP/1.0 has none, and no browser
		return nil
	}
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || slices.Contains(s.cfg.Hosts, name) {
		return nil
	}
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && (ip.Unmap().IsLoopback() || slices.Contains(s.cfg.Hosts, ip.String())) {
		return nil
	}
	s.strange.Do(func() { // once: any page could fill the log
		s.cfg.Logger.Warn("a request was refused, and others may be, since it calls this server by a name that is not its own; if it is, add it to allowed_hosts", "host", quote(name))
	})
	message := "this server answers only requests to localhost and the names in allowed_hosts, not to " + quote(name)
	if len(s.cfg.Hosts) == 0 {
		message = "without tokens this server answers only requests to localhost, not to " + quote(name) + "; set auth_token or tokens_file, or name the host in allowed_hosts"
	}
	return &Error{Status: 403, Code: "forbidden", Message: message}
}
