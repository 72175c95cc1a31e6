package cedar

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go/types"
)

// Datetimes are written with years of four digits. Nearer to the ends than a
// day, the offset of a time zone decides what can be written.
var (
	firstTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	lastTime  = time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// hasNeighbours tells whether a value is of a type with an order, and the next
// values on either side are known, if there are any.
func hasNeighbours(v types.Value) bool {
	switch v := v.(type) {
	case types.Long:
		return true
	case types.Decimal:
		_, ok := decimalUnits(v)
		return ok
	case types.Datetime:
		return v.Milliseconds() > firstTime && v.Milliseconds() < lastTime
	case types.Duration:
		return v.ToMilliseconds() > math.MinInt64 && v.ToMilliseconds() < math.MaxInt64
	}
	return false
}

// atTheEnds tells whether a value is a datetime whose neighbours aren't known. One
// that is next to it, and beyond, has no representative.
func atTheEnds(v types.Value) bool {
	_, ok := v.(types.Datetime)
	return ok && !hasNeighbours(v)
}

// around are the next values on either side. Between them and the value there is
// no other: longs are whole numbers, decimals are of ten-thousandths, and
// datetimes and durations of milliseconds.
func around(v types.Value) (near []types.Value) {
	if !hasNeighbours(v) {
		return nil
	}
	for _, step := range []int64{-1, 1} {
		switch v := v.(type) {
		case types.Long:
			if step > 0 && v < math.MaxInt64 || step < 0 && v > math.MinInt64 {
				near = append(near, v+types.Long(step))
			}
		case types.Decimal:
			units, _ := decimalUnits(v)
			if units == math.MaxInt64 && step > 0 || units == math.MinInt64 && step < 0 {
				continue
			}
			if d, err := types.NewDecimal(units+step, -4); err == nil {
				near = append(near, d)
			}
		case types.Datetime:
			near = append(near, types.NewDatetimeFromMillis(v.Milliseconds()+step))
		case types.Duration:
			near = append(near, types.NewDurationFromMillis(v.ToMilliseconds()+step))
		}
	}
	return near
}

// decimalUnits is a decimal in ten-thousandths, of which the engine gives the
// text alone.
func decimalUnits(d types.Decimal) (units int64, ok bool) {
	whole, fraction, _ := strings.Cut(d.String(), ".")
	if len(fraction) > 4 {
		return 0, false
	}
	units, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", 4-len(fraction)), 10, 64)
	return units, err == nil
}

// numberedExtension is value i of an extension type.
func numberedExtension(kind string, i int) types.Value {
	switch kind {
	case "decimal":
		d, err := types.NewDecimalFromInt(i)
		if err == nil {
			return d
		}
	case "datetime":
		return types.NewDatetimeFromMillis(int64(i))
	case "duration":
		return types.NewDurationFromMillis(int64(i))
	case "ipaddr":
		// 192.0.2.0/24 is for documentation, RFC 5737; few policies need more.
		n := 192<<24 + 2<<8 + 1 + i
		if ip, err := types.ParseIPAddr(fmt.Sprintf("%d.%d.%d.%d", n>>24&255, n>>16&255, n>>8&255, n&255)); err == nil {
			return ip
		}
	}
	return types.String(fmt.Sprint(i))
}
