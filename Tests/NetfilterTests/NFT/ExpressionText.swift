import Testing

@testable import Netfilter

/// Expressions as text, `; ` between them, and back. Registers are named where they are others than 1; bytes are
/// hexadecimal, `(9)` among them for nine zeros, `-` for none.
enum ExpressionText {
  static func print(_ expressions: [NFTExpression]) -> String {
    expressions.map(print).joined(separator: "; ")
  }

  private static func print(_ expression: NFTExpression) -> String {
    switch expression {
    case .meta(let key, let register): "meta \(name(of: key))\(into(register))"
    case .setMeta(let key, let register): "meta set \(name(of: key)) from \(register.rawValue)"
    case .immediate(let bytes, let register): "immediate \(hex(bytes))\(into(register))"
    case .payload(let base, let offset, let length, let register):
      "payload \(length)b @ \(base)+\(offset)\(into(register))"
    case .bitwise(1, let mask, let flip, 1) where flip.allSatisfy { $0 == 0 } && flip.count == mask.count:
      "mask \(hex(mask))"
    case .bitwise(let from, let mask, let flip, let into):
      "bitwise \(from.rawValue) & \(hex(mask)) ^ \(hex(flip)) => \(into.rawValue)"
    case .compare(let comparison, let register, let data): "cmp \(word(comparison))\(of(register)) \(hex(data))"
    case .range(let register, let first, let last, let isInverted):
      "range \(isInverted ? "neq" : "eq")\(of(register)) \(hex(first)) \(hex(last))"
    case .counter(let counters): "counter \(counters.packets) \(counters.bytes)"
    case .verdict(.jump(let chain)): "jump \(chain)"
    case .verdict(.goto(let chain)): "goto \(chain)"
    case .verdict(let verdict): "\(verdict)"
    case .limit(let limit):
      "limit \(limit.rate)/\(limit.unit) burst \(limit.burst)\(limit.countsBytes ? " bytes" : "")"
        + (limit.isInverted ? " over" : "")
    case .log(let log): print(log)
    case .match(let name, let revision, let bytes): "match \(name) \(revision) \(hex(bytes))"
    case .target(let name, let revision, let bytes): "target \(name) \(revision) \(hex(bytes))"
    case .opaque(let name, let attributes): "opaque \(name) \(hex(attributes))"
    }
  }

  private static func print(_ log: NFTLog) -> String {
    var words = ["log"]
    if let group = log.group { words.append("group \(group)") }
    if let prefix = log.prefix { words.append("prefix \(hex(prefix))") }
    if let length = log.snapLength { words.append("snaplen \(length)") }
    if let threshold = log.queueThreshold { words.append("qthreshold \(threshold)") }
    if let level = log.level { words.append("level \(level)") }
    if let flags = log.flags { words.append("flags \(flags)") }
    return words.joined(separator: " ")
  }

  static func read(_ text: String) throws -> [NFTExpression] {
    try text.split(separator: ";").map { part in
      var words = Words(part.split(separator: " ").map(String.init))
      let expression = try read(&words)
      try #require(words.isAtEnd, "\(part)")
      return expression
    }
  }

  private static func read(_ words: inout Words) throws -> NFTExpression {
    let word = try words.next()
    switch word {
    case "meta":
      if words.take("set") {
        let key = try key(try words.next())
        try words.expect("from")
        return .setMeta(key, from: try words.register())
      }
      return .meta(try key(try words.next()), into: try words.target())
    case "immediate": return .immediate(try words.bytes(), into: try words.target())
    case "payload":
      let length = try #require(Int(try words.next().dropLast()))
      try words.expect("@")
      let place = try words.next().split(separator: "+").map(String.init)
      let base = try #require([NFTPayloadBase.link, .network, .transport].first { "\($0)" == place[0] })
      return .payload(base, offset: try #require(Int(place[1])), length: length, into: try words.target())
    case "mask":
      let mask = try words.bytes()
      return .bitwise(1, mask: mask, flip: zeros(mask.count), into: 1)
    case "bitwise":
      let register = try words.register()
      try words.expect("&")
      let mask = try words.bytes()
      try words.expect("^")
      return .bitwise(register, mask: mask, flip: try words.bytes(), into: try words.target())
    case "cmp":
      let name = try words.next()
      let comparison = try #require((0...5).compactMap(NFTComparison.init).first { self.word($0) == name })
      return .compare(comparison, try words.source(of: 1), try words.bytes())
    case "range":
      let isInverted = try words.next() == "neq"
      return .range(try words.source(of: 2), from: try words.bytes(), to: try words.bytes(), inverted: isInverted)
    case "counter":
      return .counter(Counters(packets: try words.number(), bytes: try words.number()))
    case "accept": return .verdict(.accept)
    case "drop": return .verdict(.drop)
    case "queue": return .verdict(.queue)
    case "return": return .verdict(.return)
    case "continue": return .verdict(.continue)
    case "jump": return .verdict(.jump(ChainName(unchecked: try words.next())))
    case "goto": return .verdict(.goto(ChainName(unchecked: try words.next())))
    case "limit":
      let rate = try words.next().split(separator: "/").compactMap { UInt64($0) }
      try words.expect("burst")
      return .limit(
        NFTLimit(
          rate: rate[0], unit: rate[1], burst: try words.number(), countsBytes: words.take("bytes"),
          inverted: words.take("over")))
    case "log":
      var log = NFTLog()
      if words.take("group") { log.group = try words.number() }
      if words.take("prefix") { log.prefix = try words.bytes() }
      if words.take("snaplen") { log.snapLength = try words.number() }
      if words.take("qthreshold") { log.queueThreshold = try words.number() }
      if words.take("level") { log.level = try words.number() }
      if words.take("flags") { log.flags = try words.number() }
      return .log(log)
    case "match":
      return .match(name: try words.next(), revision: try words.number(), bytes: try words.bytes())
    case "target":
      return .target(name: try words.next(), revision: try words.number(), bytes: try words.bytes())
    case "opaque": return .opaque(name: try words.next(), attributes: try words.bytes())
    default: throw Unreadable(word: word)
    }
  }

  struct Unreadable: Error { let word: String }

  private struct Words {
    private var rest: ArraySlice<String>

    init(_ words: [String]) { rest = words[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func next() throws -> String {
      guard let word = rest.popFirst() else { throw Unreadable(word: "") }
      return word
    }

    mutating func expect(_ word: String) throws {
      guard take(word) else { throw Unreadable(word: rest.first ?? "") }
    }

    mutating func take(_ word: String) -> Bool {
      guard rest.first == word else { return false }
      rest.removeFirst()
      return true
    }

    mutating func number<T: FixedWidthInteger>() throws -> T {
      let word = try next()
      guard let value = T(word) else { throw Unreadable(word: word) }
      return value
    }

    mutating func register() throws -> NFTRegister { NFTRegister(rawValue: try number()) }
    mutating func target() throws -> NFTRegister { take("=>") ? try register() : 1 }
    /// 1 unless more words stand there than values.
    mutating func source(of values: Int) throws -> NFTRegister { rest.count > values ? try register() : 1 }

    mutating func bytes() throws -> [UInt8] {
      var text = Array(try next().utf8)[...]
      var bytes: [UInt8] = []
      if text.elementsEqual("-".utf8) { return bytes }
      while let first = text.popFirst() {
        if first == UInt8(ascii: "(") {
          let count = text.prefix { $0 != UInt8(ascii: ")") }
          bytes += zeros(try #require(Int(String(decoding: count, as: UTF8.self))))
          text = text.dropFirst(count.count + 1)
        } else {
          guard let second = text.popFirst(), let high = hexDigit(first), let low = hexDigit(second) else {
            throw Unreadable(word: String(decoding: text, as: UTF8.self))
          }
          bytes.append(high << 4 | low)
        }
      }
      return bytes
    }
  }

  private static func into(_ register: NFTRegister) -> String { register == 1 ? "" : " => \(register.rawValue)" }
  private static func of(_ register: NFTRegister) -> String { register == 1 ? "" : " \(register.rawValue)" }

  private static func word(_ comparison: NFTComparison) -> String {
    switch comparison {
    case .equal: "eq"
    case .notEqual: "neq"
    case .less: "lt"
    case .lessOrEqual: "lte"
    case .greater: "gt"
    case .greaterOrEqual: "gte"
    }
  }

  private static let keys: [(String, NFTMetaKey)] = [
    ("len", .length), ("mark", .mark), ("iif", .inInterfaceIndex), ("oif", .outInterfaceIndex),
    ("iifname", .inInterfaceName), ("oifname", .outInterfaceName), ("nftrace", .trace), ("nfproto", .family),
    ("l4proto", .transportProtocol), ("pkttype", .packetType),
  ]

  private static func name(of key: NFTMetaKey) -> String { keys.first { $0.1 == key }?.0 ?? "\(key)" }
  private static func key(_ name: String) throws -> NFTMetaKey { try #require(keys.first { $0.0 == name }?.1) }

  /// Runs of nine or more zeros are counted.
  private static func hex(_ bytes: [UInt8]) -> String {
    guard !bytes.isEmpty else { return "-" }
    var text = TextWriter()
    var place = 0
    while place < bytes.count {
      let run = bytes[place...].prefix { $0 == 0 }.count
      if run >= 9 {
        text.write("(\(run))")
        place += run
      } else {
        text.write(hex: bytes[place], width: 2)
        place += 1
      }
    }
    return text.string
  }
}
