package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are what a run is asked for.
type options struct {
	shape
	losses  []float64
	program string
	small   int // files of 32 KiB
	bulk    int // MiB of the large file
	cut     time.Duration
	ways    []string
	links   int    // connections of the second bridge
	at      string // the server's address
}

// ways are how files are fetched: FTPS at a listener with that congestion control, a bridge
// with one connection, and one with several.
func ways() []string { return []string{"bbr", "cubic", "reno", "bridge", "segments"} }

// overQUIC reports whether a way leads over a bridge.
func overQUIC(way string) bool { return way == "bridge" || way == "segments" }

// port is where the server listens for a way.
func port(way string) int { return 2121 + slices.Index(ways(), way) }

func main() {
	var o options
	losses := flag.String("loss", "0,0.001,0.01", "probabilities that a packet is lost, each way")
	flag.DurationVar(&o.delay, "delay", 40*time.Millisecond, "one way")
	flag.Float64Var(&o.rate, "rate", 100, "Mbit/s each way; 0 is no limit")
	flag.DurationVar(&o.queue, "queue", 50*time.Millisecond, "what waits longer at the bottleneck is dropped")
	flag.DurationVar(&o.rebind, "rebind", 0, "how often the client's UDP port changes on its way; 0 is never")
	flag.Uint64Var(&o.seed, "seed", 1, "of the losses")
	flag.StringVar(&o.program, "edgeftp", "", "the program; built by default")
	flag.IntVar(&o.small, "small", 15, "how many files of 32 KiB")
	flag.IntVar(&o.bulk, "bulk", 12, "MiB of the large file; 0 fetches none")
	flag.DurationVar(&o.cut, "cut", 40*time.Second, "a fetch that takes longer is given up")
	only := flag.String("ways", "", "some of "+strings.Join(ways(), ",")+"; all that the kernel has by default")
	flag.IntVar(&o.links, "connections", 4, "of the bridge that fetches large files in segments")
	cost := flag.Int("cost", 0, "MiB of a file whose downloads are measured in the server's processor time, without a link")
	client := flag.String("client", "", "for the program itself: the way of the client's part")
	flag.Parse()
	if *client != "" {
		must(measure(os.Stdout, *client, o.small, o.bulk, o.cut))
		return
	}
	for s := range strings.SplitSeq(*losses, ",") {
		loss, err := strconv.ParseFloat(s, 64)
		must(err)
		o.losses = append(o.losses, loss)
	}
	o.ways = usable()
	if *only != "" {
		o.ways = strings.Split(*only, ",")
	}
	if *cost > 0 {
		o.bulk, o.small = *cost, 0
		must(costs(&o))
		return
	}
	o.at = farAddr
	must(run(&o))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "link:", err)
		os.Exit(1)
	}
}

// usable are the ways for which the kernel has the congestion control.
func usable() []string {
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	must(err)
	there := strings.Fields(string(text))
	return slices.DeleteFunc(ways(), func(w string) bool { return !overQUIC(w) && !slices.Contains(there, w) })
}

// run measures each loss, all ways in turn.
func run(o *options) error {
	dir, err := prepare(o)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("%v each way, %g Mbit/s, queue %v, rebinding %v\n\n", o.delay, o.rate, o.queue, o.rebind)
	fmt.Printf("| loss | way | %d x 32 KiB, ms a file | %d MiB, s |\n|---|---|---|---|\n", o.small, o.bulk)
	for _, loss := range o.losses {
		o.shape.loss = loss
		if err := row(dir, o); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes a directory with all that a run needs.
func prepare(o *options) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "edgeftp-link-"); err != nil {
		return "", err
	}
	if o.program == "" {
		o.program = filepath.Join(dir, "edgeftp")
		build := exec.Command("go", "build", "-o", o.program, "github.com/edgeftp/edgeftp/cmd/edgeftp")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return dir, err
		}
	}
	return dir, furnish(dir, o)
}

// row measures one loss.
func row(dir string, o *options) error {
	e, err := emulate(o.shape)
	if err != nil {
		return err
	}
	defer e.close()
	server, err := inside(far, dir, o.program, "serve", "--allow-root", "--config", "link.yaml")
	if err != nil {
		return err
	}
	defer server.end()
	bridges := map[string]*process{}
	for way, links := range map[string]int{"bridge": 1, "segments": o.links} {
		b, err := inside(near, dir, o.program, "bridge", "--listen", "127.0.0.1:"+strconv.Itoa(port(way)), "--to", "ftpq://"+farAddr+":990", "--ca-file", "cert.pem",
			"--connections", strconv.Itoa(links))
		if err != nil {
			return err
		}
		defer b.end()
		bridges[way] = b
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, way := range o.ways {
		out, err := exec.Command("ip", "netns", "exec", near, self, "-client", way, "-small", strconv.Itoa(o.small), "-bulk", strconv.Itoa(o.bulk), "-cut", o.cut.String()).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s\nthe server: %s\nthe bridges: %s%s", way, err, out, server.said(), bridges["bridge"].said(), bridges["segments"].said())
		}
		fmt.Printf("| %g %% | %s | %s |\n", o.shape.loss*100, o.title(way), strings.TrimSpace(string(out)))
	}
	return nil
}

// title is a way as the table has it.
func (o *options) title(way string) string {
	switch way {
	case "bridge":
		return "ftpq by the bridge"
	case "segments":
		return fmt.Sprintf("ftpq by the bridge, %d connections", o.links)
	}
	return "FTPS, " + way
}

// process is one that runs in a namespace.
type process struct {
	cmd *exec.Cmd
	log *os.File
}

// inside starts a program in a namespace. What is not there yet its client waits for.
func inside(ns, dir string, args ...string) (*process, error) {
	return begin(dir, exec.Command("ip", append([]string{"netns", "exec", ns}, args...)...))
}

// begin starts a program in a directory, where its words are kept.
func begin(dir string, cmd *exec.Cmd) (*process, error) {
	log, err := os.CreateTemp(dir, "log-")
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	return p, p.cmd.Start()
}

// end ends it: ip(8) has become the program itself.
func (p *process) end() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	done := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	done.Stop()
	_ = p.log.Close()
}

// said is the end of what it has logged.
func (p *process) said() string {
	const most = 2000
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// furnish makes the files, the certificate and the configuration.
func furnish(dir string, o *options) error {
	files := filepath.Join(dir, "files")
	if err := errors.Join(os.Mkdir(files, 0o755), certify(dir), os.Chmod(dir, 0o755)); err != nil {
		return err
	}
	for i := range o.small {
		if err := noise(filepath.Join(files, fmt.Sprintf("small%d", i)), 32<<10); err != nil {
			return err
		}
	}
	if err := noise(filepath.Join(files, "bulk"), int64(o.bulk)<<20); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "link.yaml"), []byte(configuration(o.at, o.ways)), 0o600)
}

// noise writes a file that nothing can compress.
func noise(name string, n int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	random, err := os.Open("/dev/urandom")
	if err != nil {
		return err
	}
	defer random.Close()
	_, err = io.CopyN(f, random, n)
	return errors.Join(err, f.Close())
}

// configuration has a listener for each way, at an address.
func configuration(addr string, ways []string) string {
	var b strings.Builder
	b.WriteString("version: 1\ninstance: {state_dir: state, allow_root: true}\ncertificates: {files: [{cert: cert.pem}]}\n" +
		"users: {anonymous: {enabled: true, perm: elr}}\nstorage: [{mount: /, root: files}]\nsandbox: {landlock: off, seccomp: off}\nlisteners:\n")
	fmt.Fprintf(&b, "- {name: quic, protocol: ftp+quic, address: \"%s:990\", tls: {certificate: files}}\n", addr)
	for _, way := range ways {
		if overQUIC(way) {
			continue
		}
		fmt.Fprintf(&b, "- {name: %s, address: \"%s:%d\", congestion: %s, tls: {certificate: files, control: required, data: required}}\n", way, addr, port(way), way)
	}
	return b.String()
}
