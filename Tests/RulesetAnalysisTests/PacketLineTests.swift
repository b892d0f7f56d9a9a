import Netfilter
import RulesetAnalysis
import Testing

/// Packets in JSON: what is read, and what is refused with which words.
@Suite struct PacketLineTests {
  private func read(_ text: String) throws(SyntaxError) -> PacketLine {
    let bytes = Array(text.utf8)
    var result: Result<PacketLine, SyntaxError>?
    bytes.withUnsafeBufferPointer { bytes in
      do throws(SyntaxError) { result = .success(try PacketLine(json: bytes)) } catch { result = .failure(error) }
    }
    return try result!.get()
  }

  private static let ends = #""src":"192.0.2.1","dst":"198.51.100.2""#

  @Test func everyPropertyIsRead() throws {
    let line = try read(
      """
      {"family":4,"table":"mangle","chain":"FORWARD","in":"eth0","out":"eth1","src":"192.0.2.1","dst":"198.51.100.2",
       "proto":"tcp","sport":10000,"dport":"22","flags":["SYN","ack"],"icmp_type":8,"icmp_code":0,"ctstate":"NEW",
       "ctdir":"reply","ctstatus":["SEEN_REPLY","assured"],"connmark":"0x10","mark":5,"length":60,"ttl":64,"tos":16,
       "fragment":true,"tcp_options":[2,4],"mss":1460,"mac":"00:16:3e:00:00:01","pkttype":"broadcast","bytes":"45ff"}
      """)
    #expect(line.table == .mangle)
    #expect(line.hook == .forward)
    let packet = line.packet
    #expect("\(packet.source) \(packet.destination)" == "192.0.2.1 198.51.100.2")
    #expect("\(packet.inInterface) \(packet.outInterface)" == "eth0 eth1")
    #expect(packet.proto == .tcp)
    #expect(packet.sourcePort == 10000)
    #expect(packet.destinationPort == 22)
    #expect(packet.tcpFlags == [.syn, .ack])
    #expect(packet.icmpType == 8)
    #expect(packet.icmpCode == 0)
    #expect(packet.connection.state == .new)
    #expect(packet.connection.direction == .reply)
    #expect(packet.connection.statuses == [.seenReply, .assured])
    #expect(packet.connection.mark == 16)
    #expect(packet.mark == 5)
    #expect(packet.length == 60)
    #expect(packet.hopLimit == 64)
    #expect(packet.trafficClass == 16)
    #expect(packet.isLaterFragment)
    #expect(packet.tcpOptions == [2, 4])
    #expect(packet.maximumSegmentSize == 1460)
    #expect(packet.sourceMAC == MACAddress("00:16:3e:00:00:01"))
    #expect(packet.kind == .broadcast)
    #expect(packet.bytes == [0x45, 0xff])
  }

  @Test func whatIsNotSaidIsNotKnown() throws {
    let line = try read(#"{"chain":"INPUT",\#(Self.ends),"proto":6,"mark":null,"sport":null,"flags":null}"#)
    #expect(line.table == .filter)
    var packet = Packet(source: IPAddress("192.0.2.1")!, destination: IPAddress("198.51.100.2")!, proto: .tcp)
    #expect(line.packet == packet)
    packet.tcpFlags = []
    #expect(try read(#"{"chain":"INPUT",\#(Self.ends),"proto":"TCP","flags":[]}"#).packet == packet)
  }

  static let spellings: [(String, UInt8)] = [
    (#" { "chain" : "INPUT" , \#(ends) , "proto" : "icmp" } "#, 1),
    (#"{"chain":"INPUT",\#(ends),"proto":"253"}"#, 253),
    (#"{"ch\u0061in":"INPU\u0054",\#(ends),"proto":"\u0075dp"}"#, 17),
    (#"{"chain":"INPUT","src":"2001:db8::1","dst":"::1","family":6,"proto":"ipv6-icmp"}"#, 58),
  ]

  @Test(arguments: spellings)
  func otherSpellings(_ text: String, _ proto: UInt8) throws {
    #expect(try read(text).packet.proto.rawValue == proto)
  }

  @Test(arguments: [
    ("", "expected an object"),
    ("[]", "expected an object"),
    ("{", "the line ends"),
    ("{}", "'src' is missing"),
    (#"{"chain":"INPUT",\#(ends)}"#, "'proto' is missing"),
    (#"{\#(ends),"proto":6}"#, "'chain' is missing"),
    (#"{"chain":"INPUT",\#(ends),"proto":6} {}"#, "end of the line"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,}"#, "name of a member"),
    (#"{"chain":"INPUT" \#(ends),"proto":6}"#, "',' or '}'"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"dprt":1}"#, "'dprt' is no property"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"proto":6}"#, "'proto' is said twice"),
    (#"{"chain":"INPUT","chain":"INPUT",\#(ends),"proto":6}"#, "'chain' is said twice"),
    (#"{"chain":"INPUT",\#(ends),"proto":"tpc"}"#, "proto: unknown protocol 'tpc'"),
    (#"{"chain":"INPUT",\#(ends),"proto":"all"}"#, "proto: 'all' is not one protocol"),
    (#"{"chain":"INPUT",\#(ends),"proto":256}"#, "proto: 256 is not"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"sport":65536}"#, "sport: '65536' is not a number from 0 to 65535"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"sport":-1}"#, "sport: '-1' is not a whole number"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"sport":1.5}"#, "sport: '1.5' is not a whole number"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"sport":1e3}"#, "sport: '1e3' is not a whole number"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"sport":010}"#, "sport: '010' is not a whole number"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"sport":[1]}"#, "sport: expected a string, a number"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"sport":ssh}"#, "sport: 'ssh' is no JSON value"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"flags":"SYN"}"#, "flags: 'SYN' is not a list"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"flags":["SNY"]}"#, "flags: 'SNY' is none of its values"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"flags":["SYN" "ACK"]}"#, "',' or ']'"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"flags":["SYN",]}"#, "flags: expected"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"ctstate":"OLD"}"#, "ctstate: 'OLD' is none"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"fragment":1}"#, "fragment: '1' is none"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"in":"a-name-of-16-byt"}"#, "in: 'a-name-of-16-byt' is not an interface"),
    (#"{"chain":"INPUT","src":"192.0.2.1","dst":"host","proto":6}"#, "dst: 'host' is not an IP address"),
    (#"{"chain":"INPUT","src":"192.0.2.1","dst":"::1","proto":6}"#, "src is an IPv4 address and dst is not"),
    (#"{"family":6,"chain":"INPUT",\#(ends),"proto":6}"#, "family: the addresses are those of IPv4"),
    (#"{"family":5,"chain":"INPUT",\#(ends),"proto":6}"#, "family: '5' is not 4 or 6"),
    (#"{"table":"filters","chain":"INPUT",\#(ends),"proto":6}"#, "there is no table 'filters'"),
    (#"{"table":"nat","chain":"FORWARD",\#(ends),"proto":6}"#, "table nat has no chain FORWARD"),
    (#"{"chain":"input",\#(ends),"proto":6}"#, "chain: 'input' is not a built-in chain"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"mac":"0:1:2"}"#, "mac: '0:1:2' is not"),
    (#"{"chain":"INPUT",\#(ends),"proto":6,"bytes":"450"}"#, "bytes: '450' is not"),
    (#"{"chain":"INPUT",\#(ends),"proto":"tc"#, "the string does not end"),
    (#"{"chain":"INP\x",\#(ends),"proto":6}"#, "no escape of JSON"),
    (#"{"chain":"\ud800",\#(ends),"proto":6}"#, "no escape of JSON"),
    ("{\"chain\":\"IN\tPUT\"}", "control character"),
  ])
  func refusals(_ text: String, _ message: String) {
    let error = #expect(throws: SyntaxError.self) { try read(text) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test func aPlaceIsTold() throws {
    let error = #expect(throws: SyntaxError.self) { try read(#"{"chain":"INPUT","sport":"x y"}"#) }
    #expect(error?.column == 27)
    #expect(error?.length == 3)
  }
}
