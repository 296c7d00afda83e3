// Package configtest helps tests that go through a whole configuration.
package configtest

import (
	"reflect"
	"strings"
	"time"
)

// Mutate calls f for each value within what root points to, such as a *config.Config: with
// the names of the fields that lead to it, and with what changes that value in another
// configuration that is equal, and returns what takes that back. Of a list, its first entry
// is looked into.
func Mutate(root any, f func(path string, again func(root any) (undo func()))) {
	var walk func(v reflect.Value, path string, find func(root reflect.Value) reflect.Value)
	walk = func(v reflect.Value, path string, find func(reflect.Value) reflect.Value) {
		set := func(change func(reflect.Value)) {
			f(path, func(root any) func() {
				at := find(reflect.ValueOf(root).Elem())
				was := reflect.New(at.Type()).Elem()
				was.Set(at)
				change(at)
				return func() { at.Set(was) }
			})
		}
		switch {
		case v.Type() == reflect.TypeFor[time.Time]():
			set(func(v reflect.Value) { v.Set(reflect.ValueOf(time.Unix(1, 0))) })
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if field := v.Type().Field(i); field.IsExported() {
					walk(v.Field(i), strings.TrimPrefix(path+"."+field.Name, "."), func(root reflect.Value) reflect.Value { return find(root).Field(i) })
				}
			}
		case v.Kind() == reflect.Pointer && !v.IsNil():
			walk(v.Elem(), path, func(root reflect.Value) reflect.Value { return find(root).Elem() })
		case v.Kind() == reflect.Slice && v.Len() > 0:
			set(func(v reflect.Value) { v.Set(v.Slice(0, v.Len()-1)) })
			if v.Type().Elem().Kind() != reflect.Uint8 {
				walk(v.Index(0), path, func(root reflect.Value) reflect.Value { return find(root).Index(0) })
			}
		case v.Kind() == reflect.Map && v.Len() > 0:
			set(func(v reflect.Value) { v.SetZero() })
		case v.Kind() == reflect.String:
			set(func(v reflect.Value) { v.SetString(v.String() + "x") })
		case v.Kind() == reflect.Bool:
			set(func(v reflect.Value) { v.SetBool(!v.Bool()) })
		case v.Type() == reflect.TypeFor[time.Duration]():
			set(func(v reflect.Value) { v.SetInt(v.Int() + int64(time.Second)) })
		case v.CanInt():
			set(func(v reflect.Value) { v.SetInt(v.Int() ^ 1) })
		case v.CanUint():
			set(func(v reflect.Value) { v.SetUint(v.Uint() ^ 1) })
		case v.CanFloat():
			set(func(v reflect.Value) { v.SetFloat(v.Float() + 1) })
		}
	}
	walk(reflect.ValueOf(root).Elem(), "", func(root reflect.Value) reflect.Value { return root })
}
