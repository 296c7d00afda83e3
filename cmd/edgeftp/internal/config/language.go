package config

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/edgeftp/edgeftp/edge/lang"
)

// Languages are those of replies.
type Languages struct {
	Default    string   // tag
	Negotiate  bool     // clients may choose by LANG
	Catalogues []string // files with further texts
}

type fileLanguages struct {
	Default    string   `json:"default"`
	Negotiate  bool     `json:"negotiate"`
	Catalogues []string `json:"catalogues"`
}

// maxCatalogue is how many bytes of a catalogue are read.
const maxCatalogue = 1 << 20

// Set reads the catalogues and returns the languages with them. The error names
// the file that is at fault.
func (l *Languages) Set() (*lang.Set, error) {
	cats, err := lang.BuiltIn()
	if err != nil {
		return nil, err
	}
	for _, file := range l.Catalogues {
		c, err := catalogue(file, thisMachine())
		if err != nil {
			return nil, fmt.Errorf("the catalogue %s %w", file, err)
		}
		cats = append(cats, c)
	}
	return lang.NewSet(l.Default, cats...)
}

// catalogue reads one file. The error continues the file's name; of several
// faults it has the first.
func catalogue(file string, machine outside) (lang.Catalogue, error) {
	data, err := machine.read(file, maxCatalogue)
	if err != nil {
		return lang.Catalogue{}, fmt.Errorf("cannot be read: %s", reason(err))
	}
	c, err := lang.Parse(data)
	var first *lang.Error
	switch {
	case errors.As(err, &first):
		return c, fmt.Errorf("is not in order, at %w", first)
	case err != nil:
		return c, fmt.Errorf("is not in order: %w", err)
	}
	return c, nil
}

func (c *checker) languages(f *fileLanguages) Languages {
	path := []string{"i18n"}
	made := Languages{Default: f.Default, Negotiate: f.Negotiate}
	if f.Default == lang.English && len(f.Catalogues) == 0 {
		return made
	}
	cats, err := lang.BuiltIn()
	whole := err == nil // what follows is a fault of the program otherwise, and Set tells it
	for i, name := range f.Catalogues {
		at, file := sub(path, "catalogues", strconv.Itoa(i)), beside(c.dir, name)
		made.Catalogues = append(made.Catalogues, file)
		if name == "" { // the schema has refused it
			continue
		}
		cat, err := catalogue(file, c.outside)
		if err != nil {
			whole = false
			c.at(at, fmt.Sprintf("the catalogue %s %s", file, err), "mend the file; edge/lang says what its form is")
			continue
		}
		cats = append(cats, cat)
	}
	if _, err := lang.NewSet(made.Default, cats...); err != nil && whole {
		c.at(sub(path, "default"), err.Error(), "name one of them, or add a catalogue")
	}
	return made
}

func (l *Languages) file() fileLanguages {
	return fileLanguages{Default: l.Default, Negotiate: l.Negotiate, Catalogues: orEmpty(l.Catalogues)}
}
