// Package browser tests the pages of edge/delivery in a browser, Chromium: that they are
// accessible, can be used by keyboard, and fit a narrow screen. It is a module of its own,
// because nothing else here needs what drives a browser.
package browser
