import Glibc
import KernelTestSupport
import Testing

/// Two `firebreak` and one iptables-nft commit to nf_tables at the same time, each its own tables, while somebody else
/// looks. FIREBREAK_SOAK=60 lets it take so many seconds.
@Suite(.requires(.nfTables, .tool("nft"), .tool("iptables-nft"), .tool("iptables-nft-save")))
struct WriterProcessTests {
  private static let seconds = getenv("FIREBREAK_SOAK").flatMap { Double(String(cString: $0)) } ?? 4

  /// Every rule up to the serial number, the same in both families.
  private static func text(_ table: String, _ serial: Int, _ isIPv6: Bool) -> String {
    let rules = (1...serial).map { number in
      "-A OUTPUT -d \(isIPv6 ? "2001:db8::\(number)" : "10.0.\(number >> 8).\(number & 255)") -j ACCEPT\n"
    }
    return "*\(table)\n:own - [0:0]\n\(rules.joined())-A own -p udp -m udp --dport \(serial) -j DROP\nCOMMIT\n"
  }

  /// - Returns: how many commits were made, and how often somebody else was faster all the time.
  private static func commit(_ table: String, _ space: TestNamespace, until end: ContinuousClock.Instant) throws
    -> (commits: Int, busy: Int)
  {
    var (serial, busy) = (0, 0)
    while .now < end {
      let files = try [
        space.file("\(table).v4", text(table, serial + 1, false)),
        space.file("\(table).v6", text(table, serial + 1, true)),
      ]
      let result = try space.firebreak(
        ["apply", "-q", "--backend", "nft", "--state-dir", "\(space.directory)/\(table)"] + files)
      guard result.status == 0 || result.status == 75 else { throw ProcessFailure("\(result)") }
      if result.status == 0 { serial += 1 } else { busy += 1 }
      if serial == 9000 { break }
    }
    return (serial, busy)
  }

  /// What one look at both families must show of a table: as many rules in one as in the other, and the last one's number
  /// in the chain beside them.
  private static func serials(_ listing: String, _ table: String) -> [String] {
    ["ip", "ip6"].map { family in
      var (rules, last, isInside) = (0, "", false)
      for line in listing.split(separator: "\n") {
        if line.hasPrefix("table ") { isInside = line == "table \(family) \(table) {" }
        guard isInside else { continue }
        if line.contains(" daddr ") { rules += 1 }
        let words = line.split(separator: " ")
        if let place = words.firstIndex(of: "dport") { last = String(words[place + 1]) }
      }
      return "\(rules) rules, last \(last)"
    }
  }

  @Test func nobodyLosesAnything() throws {
    let space = try TestNamespace()
    let end = ContinuousClock.now + .seconds(Self.seconds)
    let writers = ["filter", "mangle"].map { table -> @Sendable () throws -> [Int] in
      {
        let made = try Self.commit(table, space, until: end)
        return [made.commits, made.busy]
      }
    }
    let iptables: @Sendable () throws -> [Int] = {
      var number = 0
      while .now < end {
        try space.require(["iptables-nft", "-t", "raw", "-A", "OUTPUT", "-d", "10.9.\(number >> 8).\(number & 255)"])
        number += 1
      }
      return [number, 0]
    }
    let reader: @Sendable () throws -> [Int] = {
      var looks = 0
      while .now < end {
        let listing = try space.require(["nft", "list", "ruleset"]).stdout
        for table in ["filter", "mangle"] {
          let found = Self.serials(listing, table)
          guard found[0] == found[1] else { throw ProcessFailure("a mixture of two commits: \(found)") }
        }
        looks += 1
      }
      return [looks, 0]
    }
    let counts = try concurrently(writers + [iptables, reader])
    let listing = try space.require(["nft", "list", "ruleset"]).stdout
    for (place, table) in ["filter", "mangle"].enumerated() {
      let expected = "\(counts[place][0]) rules, last \(counts[place][0])"
      #expect(counts[place][0] > 0 && Self.serials(listing, table) == [expected, expected])
    }
    let raw = try space.require(["iptables-nft-save", "-t", "raw"]).stdout.split(separator: "\n")
    #expect(raw.count { $0.hasPrefix("-A OUTPUT -d 10.9.") } == counts[2][0])
    print(
      "writer processes: \(counts[0][0]) and \(counts[1][0]) commits over two families (\(counts[0][1]) and "
        + "\(counts[1][1]) given up), \(counts[2][0]) by iptables-nft, \(counts[3][0]) looks")
  }
}
