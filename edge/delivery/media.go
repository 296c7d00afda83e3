package delivery

import (
	"mime"
	"path"
	"strings"
)

// octets is the type of what nothing is known about.
const octets = "application/octet-stream"

// mediaType is a file's media type, by the extension of its name alone: what is in it is
// never looked at. Text is said to be UTF-8.
func mediaType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	switch ext {
	case "":
		return octets
	case ".txt", ".text", ".log", ".md", ".conf", ".cfg", ".ini", ".diff", ".patch", ".sum", ".asc", ".sha256", ".sha512", ".md5", ".yaml", ".yml", ".toml":
		return "text/plain; charset=utf-8"
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".vtt":
		return "text/vtt; charset=utf-8"
	}
	if t := binaryType(ext); t != "" {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return octets
}

// binaryType is the types of this package's own that are not text. They do not depend on
// the tables that the host may have.
func binaryType(ext string) string {
	switch ext {
	case ".json", ".map":
		return "application/json"
	case ".xml", ".xsl":
		return "application/xml"
	case ".pdf":
		return "application/pdf"
	case ".zip":
		return "application/zip"
	case ".gz", ".tgz":
		return "application/gzip"
	case ".bz2", ".tbz2":
		return "application/x-bzip2"
	case ".xz", ".txz":
		return "application/x-xz"
	case ".zst", ".tzst":
		return "application/zstd"
	case ".tar":
		return "application/x-tar"
	case ".7z":
		return "application/x-7z-compressed"
	case ".deb":
		return "application/vnd.debian.binary-package"
	case ".rpm":
		return "application/x-rpm"
	case ".iso", ".img", ".bin", ".exe", ".dll", ".so", ".dat":
		return octets
	}
	return sightAndSound(ext)
}

func sightAndSound(ext string) string {
	switch ext {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".avif":
		return "image/avif"
	case ".svg", ".svgz":
		return "image/svg+xml"
	case ".ico":
		return "image/vnd.microsoft.icon"
	case ".mp4", ".m4v":
		return "video/mp4"
	case ".webm":
		return "video/webm"
	case ".mkv":
		return "video/matroska"
	case ".ts":
		return "video/mp2t"
	case ".m3u8":
		return "application/vnd.apple.mpegurl"
	case ".mp3":
		return "audio/mpeg"
	case ".ogg", ".oga", ".opus":
		return "audio/ogg"
	case ".flac":
		return "audio/flac"
	case ".wav":
		return "audio/wav"
	case ".woff":
		return "font/woff"
	case ".woff2":
		return "font/woff2"
	}
	return ""
}

// active reports whether a browser may run what a file of a media type holds: such files
// are sent with a policy that forbids it (Config.FilePolicy).
func active(mediaType string) bool {
	t, _, _ := strings.Cut(mediaType, ";")
	t = strings.TrimSpace(t)
	return t == "text/html" || t == "image/svg+xml" || strings.HasSuffix(t, "+xml") || strings.HasSuffix(t, "/xml") || t == "multipart/related"
}
