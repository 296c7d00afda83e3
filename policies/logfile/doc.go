// Package logfile is a log file that programs such as logrotate may move away or
// cut: it is opened again under its name. On a full disk it loses whole lines, never
// halves of them, and counts them.
package logfile
