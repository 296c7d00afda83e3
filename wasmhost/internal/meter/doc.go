// Package meter rewrites modules.
package meter
