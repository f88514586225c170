package fsys

import iofs "io/fs"

// clean returns path in the form that io/fs knows, or an error if it could leave the
// root or has more than one spelling.
func clean(op OpKind, path string) (string, error) {
	if path == "" {
		return ".", nil
	}
	if !iofs.ValidPath(path) {
		return "", pathError(op, path, iofs.ErrInvalid)
	}
	return path, nil
}

func pathError(op OpKind, path string, err error) error {
	return &iofs.PathError{Op: op.String(), Path: path, Err: err}
}
