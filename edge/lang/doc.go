// Package lang holds the languages in which the server's replies are said, and
// which of them a client gets (RFC 2640 §4, RFC 5646 for the tags, RFC 4647 §3.4 for
// finding one). English is what the server's code is written in and always there.
//
// A catalogue is a JSON file that a translator writes:
//
//	{
//	  "language": "de",
//	  "name": "Deutsch",
//	  "texts": {
//	    "You are logged in.": "Sie sind angemeldet.",
//	    "%s is not a file that can be retrieved.": "%s ist keine Datei, die abgeholt werden kann.",
//	    "Transfer complete: %d bytes in %.3f seconds.": "In %.3[2]f Sekunden wurden %[1]d Bytes übertragen."
//	  }
//	}
//
// A translation takes the arguments of the English text, each once and in the same
// form (%[2]f for %.3f is refused), in any order. It also keeps the digits, double
// quotes, parentheses and bars of the English text in their order, because clients
// look for those (the 227 and 229 replies). A text that is missing or empty is said
// in English. Reply codes are never translated, nor is what clients read as a whole,
// such as the reply to SYST.
//
// The files in catalogues/ are built in. Template writes an empty one to begin with.
package lang
