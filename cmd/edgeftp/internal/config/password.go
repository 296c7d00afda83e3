package config

import (
	"crypto/rand"
	"math/big"
	"strconv"
	"strings"
)

// The words of made-up passwords: 64 of each kind, easy to read out and to type.
const (
	adjectives = `able amber ample azure bold brave brief bright brisk broad calm clear
		cool crisp deep eager early easy even fair fast fine firm fond fresh full gentle glad
		gold good grand green happy hardy keen kind large late light lively loyal lucky merry
		mild neat new noble open plain proud quick quiet rapid ready rich round sharp silver
		smooth solid steady tame warm wise`
	animals = `badger beaver bison camel cat crane crow deer dingo dove duck eagle egret elk
		falcon ferret finch fox frog gecko goat goose gull hare hawk heron horse ibis jay koala
		lark lemur lion llama lynx magpie marten mole moose mouse newt ocelot orca osprey otter
		owl panda parrot pony puffin quail rabbit raven robin seal shrew snail stork swan tapir
		tiger trout whale wren`
	things = `anchor apple arrow basket bell boat book bottle branch bridge brook candle canvas
		cedar chair clock cloud coast copper cup desk door drum feather field flame flint flute
		forest garden gate glass harbor hill island kettle ladder lamp leaf lemon maple meadow
		mill mirror moon oak orchard paper pearl pepper pillow pine planet river rope saddle sail
		shell spoon stone table tower valley window`
)

// MakeUpPassword returns a random password that can be read out and typed, such as
// tame-otter-41-lamp-river.
func MakeUpPassword() string { return makeUpPassword() }

// makeUpPassword returns a password like tame-otter-41-lamp-river, one of about
// 1,500 million: enough behind the delays and limits of failed logins.
func makeUpPassword() string {
	return strings.Join([]string{pick(adjectives), pick(animals), strconv.Itoa(10 + below(90)), pick(things), pick(things)}, "-")
}

func pick(words string) string {
	list := strings.Fields(words)
	return list[below(len(list))]
}

// below returns a random number from 0 to n-1.
func below(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		return 0 // never: crypto/rand ends the program first
	}
	return int(i.Int64())
}
