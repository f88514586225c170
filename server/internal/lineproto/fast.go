package lineproto

import "bytes"

// readFast reads the line at the current position into p.line if the table knows its
// measurement, tags and fields, and its values and time are numbers as most are. If it
// returns false, the line is still to be read, and p.line to be filled.
func (p *Parser) readFast() bool {
	b, start := p.body, p.pos
	e := p.guess()
	if e == nil {
		if e = p.lookUp(); e == nil {
			return false
		}
		p.last.next.Store(e)
	}
	p.last = e
	i, ok := p.readFields(e, start+len(e.key)+1)
	if !ok {
		return false
	}
	p.line.Time = p.options.Now
	if b[i] == ' ' {
		if i, ok = p.readTime(i + 1); !ok {
			return false
		}
	}
	end := i
	if b[i] == '\r' {
		i++
	}
	if b[i] != '\n' || p.options.MaxLine > 0 && end-start > p.options.MaxLine {
		return false
	}
	p.line.Text = b[start:end]
	p.pos = i + 1
	return true
}

// guess returns the entry of the line if it is that which followed the last one before.
func (p *Parser) guess() *entry {
	e := p.last.next.Load()
	if e == nil || e.stale.set.Load() {
		return nil
	}
	end := p.pos + len(e.key)
	if end >= p.fast || p.body[end] != ' ' || string(p.body[p.pos:end]) != e.key {
		return nil
	}
	e.used.mark()
	return e
}

// lookUp returns the entry of the line, nil if there is none.
func (p *Parser) lookUp() *entry {
	if !p.findSpace() || p.space == p.pos {
		return nil
	}
	// The text of a line that was read before does not end with a backslash, so a space
	// with one before it leads to no entry; nor does one with a line end within.
	return p.table.get(p.body[p.pos:p.space])
}

// findSpace makes p.space the position of the next space. It returns false if that is too
// far away, or known to be in another line. No byte is looked at by the searches of many
// lines, whatever the body holds.
func (p *Parser) findSpace() bool {
	if p.space >= p.pos {
		if p.space == p.fast || bytes.IndexByte(p.body[p.pos:p.space], '\n') >= 0 {
			return false
		}
	} else if n := bytes.IndexByte(p.body[p.pos:p.fast], ' '); n < 0 {
		p.space = p.fast
		return false
	} else {
		p.space = p.pos + n
	}
	return p.space-p.pos <= keyBytes
}

// readFields reads all fields, which begin at i, and returns where they end. The names
// are expected in the order that the entry has them in.
func (p *Parser) readFields(e *entry, i int) (end int, ok bool) {
	b, points := p.body, p.line.Points
	names, series := e.shape.fields, e.series
	next := 0
	for {
		if next >= len(names) || !names[next].at(b, i) {
			if next = e.shape.find(b[:p.fast], i); next < 0 {
				return 0, false
			}
		}
		i += len(names[next].text)
		value, end, ok := shortNumber(b, i)
		if !ok {
			if value, end, ok = p.readValue(i); !ok {
				return 0, false
			}
		}
		points = append(points, Point{series[next], value})
		next++
		i = end + 1
		if b[end] != ',' {
			p.line.Points = points
			return end, b[end] == ' ' || b[end] == '\n' || b[end] == '\r'
		}
	}
}

// readValue reads the value at i that is no short number. ok is false if it is to be
// refused.
func (p *Parser) readValue(i int) (value float64, end int, ok bool) {
	end = valueEnd(p.body[:p.fast], i)
	if end == i {
		return 0, 0, false
	}
	k, digits, ok := kindOf(p.body[i:end])
	if !ok {
		return 0, 0, false
	}
	value, rounded, err := number(k, digits)
	if rounded {
		p.line.Rounded++
	}
	return value, end, err == nil
}

// readTime reads the timestamp at i and returns where it ends.
func (p *Parser) readTime(i int) (end int, ok bool) {
	b := p.body
	units, n := digits8(load(b, i))
	if n == 8 {
		middle, m := digits8(load(b, i+8))
		units, n = units*powersOfTen[m]+middle, n+m
	}
	if n == 16 {
		low, m := digits8(load(b, i+16))
		if m > 3 {
			return 0, false // 19 digits do not overflow
		}
		units, n = units*powersOfTen[m]+low, n+m
	}
	if n == 0 || units > uint64(p.latest) {
		return 0, false
	}
	p.line.Time = int64(units) * int64(p.options.Unit)
	return i + n, true
}
