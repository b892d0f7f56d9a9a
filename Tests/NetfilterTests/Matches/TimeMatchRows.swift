import Netfilter
import Testing

@Suite struct TimeMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m time", prints: "-m time --datestop 2038-01-19T03:14:07",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0],
      lists: "TIME UTC"),
    Row(
      .ipv4,
      "-m time --timestart 01:02:03 --timestop 04:05:06 --monthdays 1,2,3,4,5 --weekdays Mon,Fri,Sun --datestart 2001-02-03T04:05:06 --datestop 2012-09-08T09:06:05 --kerneltz",
      wire: [114, 131, 123, 58, 125, 10, 75, 80, 139, 14, 0, 0, 114, 57, 0, 0, 62, 0, 0, 0, 162, 1, 0, 0],
      lists: Listing(
        "TIME from 01:02:03 to 04:05:06 on Mon,Fri,Sun on 1st,2nd,3rd,4th,5th"
          + " starting from 2001-02-03 04:05:06 until date 2012-09-08 09:06:05")),
    Row(
      .ipv4, "-m time --monthdays 1,2,", prints: "-m time --monthdays 1,2 --datestop 2038-01-19T03:14:07",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 6, 0, 0, 0, 254, 0, 0, 0]),
    Row(
      .ipv4, "-m time ! --monthdays 1,31",
      prints:
        "-m time --monthdays 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30 --datestop 2038-01-19T03:14:07",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 252, 255, 255, 127, 254, 0, 0, 0],
      lists: Listing(
        "TIME on 2nd,3rd,4th,5th,6th,7th,8th,9th,10th,11st,12nd,13rd,14th,15th,16th,17th,18th,19th,20th,21st,22nd,"
          + "23rd,24th,25th,26th,27th,28th,29th,30th UTC")),
    Row(
      .ipv4, "-m time --weekdays Mo,Tuesday,3,",
      prints: "-m time --weekdays Mon,Tue,Wed --datestop 2038-01-19T03:14:07",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 14, 0, 0, 0]),
    Row(
      .ipv4, "-m time ! --weekdays Sat,7",
      prints: "-m time --weekdays Mon,Tue,Wed,Thu,Fri --datestop 2038-01-19T03:14:07",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 62, 0, 0, 0]),
    Row(
      .ipv4, "-m time --weekdays 1,2,3,4,5,6,7", prints: "-m time --datestop 2038-01-19T03:14:07",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0]),
    Row(
      .ipv4, "-m time --timestart 5:6",
      prints: "-m time --timestart 05:06:00 --timestop 23:59:59 --datestop 2038-01-19T03:14:07",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 184, 71, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0]),
    Row(
      .ipv4, "-m time --timestop 00:00:00",
      prints: "-m time --timestart 00:00:00 --timestop 00:00:00 --datestop 2038-01-19T03:14:07",
      wire: [0, 0, 0, 0, 255, 255, 255, 127] + zeros(8) + [254, 255, 255, 255, 254, 0, 0, 0]),
    Row(
      .ipv4, "-m time --timestart 23:00 --timestop 01:00:00 --contiguous",
      prints: "-m time --timestart 23:00:00 --timestop 01:00:00 --datestop 2038-01-19T03:14:07 --contiguous",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 112, 67, 1, 0, 16, 14, 0, 0, 254, 255, 255, 255, 254, 2, 0, 0],
      lists: "TIME from 23:00:00 to 01:00:00 UTC contiguous"),
    Row(
      .ipv4, "-m time --timestart 10:00 --timestop 10:00 --contiguous",
      prints: "-m time --timestart 10:00:00 --timestop 10:00:00 --datestop 2038-01-19T03:14:07 --contiguous",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 160, 140, 0, 0, 160, 140, 0, 0, 254, 255, 255, 255, 254, 2, 0, 0]),
    Row(
      .ipv4, "-m time --datestart 2012",
      prints: "-m time --datestart 2012-01-01T00:00:00 --datestop 2038-01-19T03:14:07",
      wire: [0, 162, 255, 78, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0]),
    Row(
      .ipv4, "-m time --datestart 2012-02-29 --datestop 2038-12-31T23:59:59",
      prints: "-m time --datestart 2012-02-29T00:00:00 --datestop 2038-12-31T23:59:59",
      wire: [128, 106, 77, 79, 255, 74, 201, 129, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0]),
    Row(
      .ipv4, "-m time --datestart 2012-5-6T7",
      prints: "-m time --datestart 2012-05-06T07:00:00 --datestop 2038-01-19T03:14:07",
      wire: [112, 33, 166, 79, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0]),
    Row(
      .ipv4, "-m time --datestop 2000-12-31T23:59", prints: "-m time --datestop 2000-12-31T23:59:00",
      wire: [0, 0, 0, 0, 68, 200, 79, 58, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0]),
    Row(
      .ipv4, "-m time --utc --datestart 1970", prints: "-m time --datestop 2038-01-19T03:14:07",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0]),
    Row(
      .ipv4, "-m time --localtz", prints: "-m time --datestop 2038-01-19T03:14:07 --kerneltz",
      wire: [0, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 1, 0, 0]),
    Row(
      .ipv6, "-m time --datestart 1999-12-31T23:59:59 --datestop 2000-03-01",
      prints: "-m time --datestart 1999-12-31T23:59:59 --datestop 2000-03-01T00:00:00",
      wire: [127, 67, 109, 56, 128, 93, 188, 56, 0, 0, 0, 0, 127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m time --timestart 08:00 --timestop 18:00", .depends(on: "the date and the time of day")),
    PacketRow(.ipv6, "-m time ! --weekdays Sat,Sun", .depends(on: "the date and the time of day")) {
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m time --datestart 2028 --datestop 2027", .no),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m time --monthdays 0", refused: "--monthdays: '0' is not a day of a month"),
    Row(.ipv4, "-m time --monthdays 32", refused: "--monthdays: '32' is not a day of a month"),
    Row(.ipv4, "-m time --monthdays ,", refused: "--monthdays: no day is left"),
    Row(.ipv4, "-m time --monthdays 08", refused: "--monthdays: '08' is not a day of a month"),
    Row(
      .ipv4,
      "-m time ! --monthdays 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
      refused: "--monthdays: no day is left"),
    Row(.ipv4, "-m time ! --weekdays 1,2,3,4,5,6,7", refused: "--weekdays: no day is left"),
    Row(.ipv4, "-m time --weekdays 8", refused: "--weekdays: '8' is not a day of the week"),
    Row(.ipv4, "-m time --weekdays mon", refused: "--weekdays: 'mon' is not a day of the week"),
    Row(.ipv4, "-m time --weekdays M", refused: "--weekdays: 'M' is not a day of the week"),
    Row(.ipv4, "-m time --timestart 5", refused: "--timestart: '5' is not a time"),
    Row(.ipv4, "-m time --timestop 24:00", refused: "--timestop: '24:00' is not a time"),
    Row(.ipv4, "-m time --timestop 23:60", refused: "--timestop: '23:60' is not a time"),
    Row(.ipv4, "-m time --contiguous", refused: "--contiguous: the time has to go past midnight"),
    Row(.ipv4, "-m time --datestart 2039", refused: "--datestart: '2039' is not a date from 1970 to 2038"),
    Row(.ipv4, "-m time --datestart 2012-02-30", refused: "--datestart: '2012-02-30' is not a date"),
    Row(.ipv4, "-m time --datestart 2012-02T05", refused: "--datestart: '2012-02T05' is not a date"),
    Row(.ipv4, "-m time --datestop 1970", refused: "--datestop: iptables does not save the date"),
    Row(.ipv4, "-m time --utc --kerneltz", refused: "--kerneltz cannot stand beside --utc"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// What no option says stays as it came.
  @Test(arguments: [
    zeros(12) + [127, 81, 1, 0, 254, 255, 255, 255, 254, 0, 0, 0],  // ends with the first second
    zeros(4) + [255, 255, 255, 127, 0, 0, 0, 0, 127, 81, 1, 0, 1, 0, 0, 0, 254, 0, 0, 0],  // day 0
  ])
  func foreignBytesStayOpaque(_ bytes: [UInt8]) {
    let match = Registry.standard.decodeMatch(
      kernelName: "time", revision: 0, family: .ipv4, payload: bytes.span.bytes)
    #expect((match as? OpaqueMatch)?.opaque.payload == bytes)
  }
}
