package acme

import "strings"

// brief is an error in one line, of a length that a log bears.
func brief(err error) string {
	const most = 600
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > most {
		text = text[:most] + "..."
	}
	return text
}

// advice says what an operator can do about an order that failed.
func advice(err error) string { return "edgeftp cert check tries everything but the order" }
