/// Ports and chunks of an SCTP packet (`struct xt_sctp_info`, linux/netfilter/xt_sctp.h; RFC 9260).
public struct SCTP: Match {
  public var sourcePorts: Negatable<PortRange>?
  public var destinationPorts: Negatable<PortRange>?
  public var chunks: Negatable<SCTPChunkTest>?

  public init(
    sourcePorts: Negatable<PortRange>? = nil, destinationPorts: Negatable<PortRange>? = nil,
    chunks: Negatable<SCTPChunkTest>? = nil
  ) {
    self.sourcePorts = sourcePorts
    self.destinationPorts = destinationPorts
    self.chunks = chunks
  }
}

/// `--chunk-types MODE TYPES`.
public struct SCTPChunkTest: Hashable, Sendable {
  /// How the chunks of a packet and the types of the rule are compared. Raw values are `SCTP_CHUNK_MATCH_*`.
  public enum Mode: UInt32, Hashable, Sendable {
    /// One of the types is in the packet.
    case any = 1
    /// Every type is in the packet.
    case all = 2
    /// The packet has no chunk of another type.
    case only = 4

    fileprivate var name: StaticString {
      switch self {
      case .any: "any"
      case .all: "all"
      case .only: "only"
      }
    }
  }

  /// Which types the rule names.
  public enum Types: Hashable, Sendable {
    /// All 256, those without a name too.
    case every
    /// These; the empty set is written `NONE`.
    case named(Set<SCTPChunkType>)
  }

  public let mode: Mode
  public let types: Types
  /// What the flags of some of the types have to be.
  public let flags: [SCTPChunkFlags]

  /// Types whose flags the kernel can compare in one rule.
  public static let maxFlags = 4

  /// nil for flags of more than four types, of a type that is not named, or of one type twice.
  public init?(_ mode: Mode, _ types: Types, flags: [SCTPChunkFlags] = []) {
    let flagged = Set(flags.map(\.type))
    guard flags.count <= Self.maxFlags, flagged.count == flags.count else { return nil }
    switch types {
    case .every: guard flags.isEmpty else { return nil }
    case .named(let named): guard flagged.isSubset(of: named) else { return nil }
    }
    self.mode = mode
    self.types = types
    self.flags = flags
  }
}

/// A chunk type that has a name.
public enum SCTPChunkType: UInt8, Hashable, Sendable, CaseIterable, Comparable {
  case data = 0
  case `init` = 1
  case initAck = 2
  case sack = 3
  case heartbeat = 4
  case heartbeatAck = 5
  case abort = 6
  case shutdown = 7
  case shutdownAck = 8
  case error = 9
  case cookieEcho = 10
  case cookieAck = 11
  case ecnEcho = 12
  case ecnReduced = 13
  case shutdownComplete = 14
  case iData = 64
  case addressConfigurationAck = 128
  case reconfiguration = 130
  case padding = 132
  case forwardTSN = 192
  case addressConfiguration = 193
  case iForwardTSN = 194

  public static func < (a: SCTPChunkType, b: SCTPChunkType) -> Bool { a.rawValue < b.rawValue }

  fileprivate var name: StaticString {
    switch self {
    case .data: "DATA"
    case .`init`: "INIT"
    case .initAck: "INIT_ACK"
    case .sack: "SACK"
    case .heartbeat: "HEARTBEAT"
    case .heartbeatAck: "HEARTBEAT_ACK"
    case .abort: "ABORT"
    case .shutdown: "SHUTDOWN"
    case .shutdownAck: "SHUTDOWN_ACK"
    case .error: "ERROR"
    case .cookieEcho: "COOKIE_ECHO"
    case .cookieAck: "COOKIE_ACK"
    case .ecnEcho: "ECN_ECNE"
    case .ecnReduced: "ECN_CWR"
    case .shutdownComplete: "SHUTDOWN_COMPLETE"
    case .iData: "I_DATA"
    case .addressConfigurationAck: "ASCONF_ACK"
    case .reconfiguration: "RE_CONFIG"
    case .padding: "PAD"
    case .forwardTSN: "FORWARD_TSN"
    case .addressConfiguration: "ASCONF"
    case .iForwardTSN: "I_FORWARD_TSN"
    }
  }

  /// The letters of the flags, from the highest bit; `-` for a bit that has none. nil where iptables cannot say
  /// anything of the flags: it notes them under a number that is another type's.
  fileprivate var letters: StaticString? {
    switch self {
    case .data: "----IUBE"
    case .abort, .shutdownComplete: "-------T"
    default: rawValue <= 14 ? "--------" : nil
    }
  }

  fileprivate func letter(of bit: Int) -> UInt8? {
    letters.map { UnsafeBufferPointer(start: $0.utf8Start, count: 8)[7 - bit] }
  }
}

/// Flags of one chunk type, and what they have to be.
public struct SCTPChunkFlags: Hashable, Sendable {
  public let type: SCTPChunkType
  /// Bits that are compared.
  public let mask: UInt8
  /// Those of them that have to be set.
  public let set: UInt8

  /// nil when the mask is empty or holds a bit without a letter, or when `set` holds a bit that is not in it. The
  /// highest bit, which has no letter in any type, may have to be clear (`-`).
  public init?(_ type: SCTPChunkType, mask: UInt8, set: UInt8) {
    guard mask != 0, set & ~mask == 0, set & 0x80 == 0 else { return nil }
    for bit in 0..<7 where mask >> UInt8(bit) & 1 == 1 {
      guard let letter = type.letter(of: bit), letter != UInt8(ascii: "-") else { return nil }
    }
    guard type.letters != nil else { return nil }
    self.type = type
    self.mask = mask
    self.set = set
  }
}

// MARK: Syntax

extension SCTP {
  public static let definition = ExtensionDefinition(
    "sctp", summary: "SCTP ports and chunks", protocols: [.sctp],
    options: [
      OptionSpec("--source-port", aliases: ["--sport"], .portRange, negatable: true, "source port or range"),
      OptionSpec("--destination-port", aliases: ["--dport"], .portRange, negatable: true, "destination port or range"),
      OptionSpec(
        "--chunk-types", .custom("any|all|only TYPE[:FLAGS][,TYPE…]"), negatable: true, words: 2,
        "types of the packet's chunks; a flag is a letter, small where it has to be clear"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let ports = try options.portRange("--source-port", .sctp) {
      sourcePorts = Negatable(ports, inverted: options.isInverted("--source-port"))
    }
    if let ports = try options.portRange("--destination-port", .sctp) {
      destinationPorts = Negatable(ports, inverted: options.isInverted("--destination-port"))
    }
    if let words = options.words("--chunk-types") {
      let modes: [SCTPChunkTest.Mode] = [.any, .all, .only]
      let mode = modes[try options.choice(words[0], among: modes.map(\.name), of: "--chunk-types")]
      chunks = Negatable(try Self.chunks(mode, words[1], options), inverted: options.isInverted("--chunk-types"))
    }
  }

  private static func chunks(_ mode: SCTPChunkTest.Mode, _ word: Token, _ options: OptionValues)
    throws(SyntaxError) -> SCTPChunkTest
  {
    var types: Set<SCTPChunkType> = []
    var flags: [SCTPChunkFlags] = []
    let isEvery = word.equalsIgnoringCase("ALL")
    if !isEvery, !word.equalsIgnoringCase("NONE") {
      try word.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
        guard part.count > 0 else { return }
        let parts = part.split(at: UInt8(ascii: ":"))
        let names = SCTPChunkType.allCases.map(\.name)
        let type = SCTPChunkType.allCases[try options.choice(parts.before, among: names, of: "--chunk-types")]
        types.insert(type)
        guard let letters = parts.after, letters.count > 0 else { return }
        try add(letters, of: type, to: &flags)
      }
      guard !types.isEmpty else {
        throw SyntaxError(at: word, "--chunk-types: no type is named", hint: "or write NONE")
      }
    }
    guard let test = SCTPChunkTest(mode, isEvery ? .every : .named(types), flags: flags) else {
      throw SyntaxError(
        at: word, "--chunk-types: flags of \(flags.count) types, the kernel compares \(SCTPChunkTest.maxFlags) at most")
    }
    return test
  }

  private static func add(_ letters: Token, of type: SCTPChunkType, to flags: inout [SCTPChunkFlags])
    throws(SyntaxError)
  {
    let place = flags.firstIndex { $0.type == type }
    var mask = place.map { flags[$0].mask } ?? 0
    var set = place.map { flags[$0].set } ?? 0
    guard type.letters != nil else {
      throw SyntaxError(at: letters, "--chunk-types: iptables loses flags of \(type.name), so they cannot be compared")
    }
    for index in 0..<letters.count {
      let byte = letters.bytes[index]
      let upper = asciiUppercased(byte)
      guard let bit = (0..<8).reversed().first(where: { type.letter(of: $0) == upper }) else {
        throw SyntaxError(
          at: letters.part(index..<index + 1), "--chunk-types: \(type.name) has no such flag",
          hint: "flags of chunks: I, U, B and E of DATA, T of ABORT and SHUTDOWN_COMPLETE")
      }
      mask |= 1 << UInt8(bit)
      if byte == upper, byte != UInt8(ascii: "-") { set |= 1 << UInt8(bit) }
    }
    guard let merged = SCTPChunkFlags(type, mask: mask, set: set) else { return }
    if let place {
      flags[place] = merged
    } else {
      flags.append(merged)
    }
  }

  public func print(to out: inout RuleWriter) {
    out.ports("--sport", sourcePorts)
    out.ports("--dport", destinationPorts)
    guard let chunks else { return }
    out.option("--chunk-types", inverted: chunks.isInverted)
    Self.write(chunks.value, to: &out)
  }

  public func list(to out: inout RuleWriter) {
    out.word("sctp")
    for (name, ports) in [("spt" as StaticString, sourcePorts), ("dpt", destinationPorts)] {
      guard let ports, ports.value != .any || ports.isInverted else { continue }
      out.listPorts(name, Negatable(Bounds(ports: ports.value), inverted: ports.isInverted), .sctp)
    }
    guard let chunks else { return }
    if chunks.isInverted { out.text.write(" !") }
    Self.write(chunks.value, usesNumbers: out.isNumeric, to: &out)
  }

  /// The mode and the types, by their names or as a listing has their numbers.
  private static func write(_ chunks: SCTPChunkTest, usesNumbers: Bool = false, to out: inout RuleWriter) {
    out.word(chunks.mode.name)
    guard case .named(let types) = chunks.types else { return out.word("ALL") }
    guard !types.isEmpty else { return out.word("NONE") }
    var separator = UInt8(ascii: " ")
    for type in types.sorted() {
      out.text.write(byte: separator)
      separator = UInt8(ascii: ",")
      if usesNumbers {
        out.text.write("0x")
        out.text.write(upperHex: type.rawValue, width: 4)
      } else {
        out.text.write(type.name)
      }
      guard let flags = chunks.flags.first(where: { $0.type == type }) else { continue }
      out.text.write(byte: UInt8(ascii: ":"))
      for bit in (0..<8).reversed() where flags.mask >> UInt8(bit) & 1 == 1 {
        guard let letter = type.letter(of: bit) else { continue }
        out.text.write(byte: flags.set >> UInt8(bit) & 1 == 1 ? letter : asciiLowercased(letter))
      }
    }
  }
}

private func asciiUppercased(_ byte: UInt8) -> UInt8 {
  byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") ? byte & ~0x20 : byte
}

// MARK: Kernel bytes

extension SCTP {
  private enum Flag {
    static let sourcePorts: UInt32 = 0x1
    static let destinationPorts: UInt32 = 0x2
    static let chunks: UInt32 = 0x4
  }

  /// The map has 64 words of 32 bits, of which the kernel uses eight.
  private static let mapSize = 256
  private static let usedMapSize = 32

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(destinationPorts?.value)
    out.write(sourcePorts?.value)
    switch chunks?.value.types {
    case nil: out.zeros(Self.mapSize)
    case .every: out.write(Array(repeating: 0xff, count: Self.mapSize))
    case .named(let types):
      var map = [UInt8](repeating: 0, count: Self.mapSize)
      for type in types { map[Int(type.rawValue / 8)] |= 1 << (type.rawValue % 8) }
      out.write(map)
    }
    out.write(chunks?.value.mode.rawValue ?? 0)
    let flags = chunks?.value.flags ?? []
    for place in 0..<SCTPChunkTest.maxFlags {
      let flag = place < flags.count ? flags[place] : nil
      out.write(flag?.type.rawValue ?? 0xff)
      out.write(flag?.set ?? 0)
      out.write(flag?.mask ?? 0)
    }
    out.write(UInt32(flags.count))
    let conditions: [(UInt32, isInverted: Bool?)] = [
      (Flag.sourcePorts, sourcePorts?.isInverted), (Flag.destinationPorts, destinationPorts?.isInverted),
      (Flag.chunks, chunks?.isInverted),
    ]
    out.write(conditions.reduce(0 as UInt32) { $1.isInverted == nil ? $0 : $0 | $1.0 })
    out.write(conditions.reduce(0 as UInt32) { $1.isInverted == true ? $0 | $1.0 : $0 })
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let destination = Bounds(try bytes.uint16("dpts"), try bytes.uint16("dpts"))
    let source = Bounds(try bytes.uint16("spts"), try bytes.uint16("spts"))
    let map = try bytes.raw("chunkmap", count: Self.mapSize)
    let mode = try bytes.uint32("chunk_match_type")
    let flagBytes = try bytes.raw("flag_info", count: 3 * SCTPChunkTest.maxFlags)
    let flagCount = try bytes.uint32("flag_count")
    let given = try bytes.uint32("flags")
    let inverted = try bytes.uint32("invflags")
    guard given <= 0x7 else { throw bytes.invalid("flags") }
    guard inverted & ~given == 0 else { throw bytes.invalid("invflags") }
    guard flagCount <= UInt32(SCTPChunkTest.maxFlags) else { throw bytes.invalid("flag_count") }

    func ports(_ bounds: Bounds<UInt16>, _ flag: UInt32) throws(WireError) -> Negatable<PortRange>? {
      guard given & flag != 0 else {
        guard bounds == Bounds(0) else { throw bytes.invalid("flags") }
        return nil
      }
      guard let range = PortRange(bounds.first, through: bounds.last) else { throw bytes.invalid("spts") }
      return Negatable(range, inverted: inverted & flag != 0)
    }
    destinationPorts = try ports(destination, Flag.destinationPorts)
    sourcePorts = try ports(source, Flag.sourcePorts)

    var flags: [SCTPChunkFlags] = []
    for place in 0..<SCTPChunkTest.maxFlags {
      let (type, set, mask) = (flagBytes[3 * place], flagBytes[3 * place + 1], flagBytes[3 * place + 2])
      if place < flagCount {
        guard let type = SCTPChunkType(rawValue: type), let flag = SCTPChunkFlags(type, mask: mask, set: set) else {
          throw bytes.invalid("flag_info")
        }
        flags.append(flag)
      } else {
        guard type == 0xff, set == 0, mask == 0 else { throw bytes.invalid("flag_info") }
      }
    }
    guard given & Flag.chunks != 0 else {
      guard mode == 0, flags.isEmpty, map.allSatisfy({ $0 == 0 }) else { throw bytes.invalid("chunkmap") }
      return
    }
    guard let mode = SCTPChunkTest.Mode(rawValue: mode), let types = Self.types(in: map),
      let test = SCTPChunkTest(mode, types, flags: flags)
    else { throw bytes.invalid("chunkmap") }
    chunks = Negatable(test, inverted: inverted & Flag.chunks != 0)
  }

  /// nil when a type without a name is among them.
  private static func types(in map: [UInt8]) -> SCTPChunkTest.Types? {
    if map.allSatisfy({ $0 == 0xff }) { return .every }
    guard map[usedMapSize...].allSatisfy({ $0 == 0 }) else { return nil }
    var types: Set<SCTPChunkType> = []
    for number in 0...UInt8.max where map[Int(number / 8)] >> (number % 8) & 1 == 1 {
      guard let type = SCTPChunkType(rawValue: number) else { return nil }
      types.insert(type)
    }
    return .named(types)
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ ports: PortRange?) {
    write(ports?.first ?? 0)
    write(ports?.last ?? 0)
  }
}

// MARK: Meaning

extension SCTP {
  /// A later fragment has no ports and no chunks, so no rule of this match is for it.
  public func matches(_ packet: Packet) -> Answer {
    guard !packet.isLaterFragment else { return .no }
    return .about(packet.sourcePort, "the source port", sourcePorts) { $1.contains($0) }
      && .about(packet.destinationPort, "the destination port", destinationPorts) { $1.contains($0) }
      && chunkAnswer(packet)
  }

  private func chunkAnswer(_ packet: Packet) -> Answer {
    guard let chunks else { return .yes }
    guard let bytes = packet.bytes else { return .depends(on: "the packet's bytes") }
    guard case .at(let start) = packet.transportHeader else { return .broken }
    let answer = chunks.value.holds(for: bytes, from: start + Self.headerSize)
    return chunks.isInverted ? !answer : answer
  }

  private static let headerSize = 12
}

extension SCTPChunkTest {
  /// Looks at one chunk after the other, as the kernel does. It looks for all 256 types in a map of more, so that
  /// `all ALL` never holds.
  fileprivate func holds(for bytes: [UInt8], from start: Int) -> Answer {
    var missing: Set<SCTPChunkType> = []
    if case .named(let types) = types { missing = types }
    var place = start
    repeat {
      guard place + 4 <= bytes.count else { return .broken }
      let length = Int(bytes[place + 2]) << 8 | Int(bytes[place + 3])
      guard length > 0 else { return .broken }
      let type = SCTPChunkType(rawValue: bytes[place])
      let isNamed = isNamed(type)
      let fits = isNamed && flagsFit(type, bytes[place + 1])
      switch mode {
      case .any where fits: return .yes
      case .only where !fits: return .no
      case .all where fits: if let type { missing.remove(type) }
      default: break
      }
      place += (length + 3) & ~3
    } while place < bytes.count
    switch mode {
    case .any: return .no
    case .only: return .yes
    case .all: return Answer(types != .every && missing.isEmpty)
    }
  }

  private func isNamed(_ type: SCTPChunkType?) -> Bool {
    guard case .named(let types) = types else { return true }
    return type.map { types.contains($0) } ?? false
  }

  private func flagsFit(_ type: SCTPChunkType?, _ value: UInt8) -> Bool {
    flags.first { $0.type == type }.map { value & $0.mask == $0.set } ?? true
  }
}
