import CNFTables
import Glibc
import NFTablesStore
import Netfilter
import Testing

/// Expressions as attributes: what is written is read again, and what libnftnl writes is read as what was meant.
@Suite struct ExpressionBytesTests {
  /// An expression, and how libnftnl is told to make it.
  struct Row: CustomTestStringConvertible, Sendable {
    let expression: NFTExpression
    let name: String
    let fill: @Sendable (OpaquePointer) -> Void
    var testDescription: String { "\(expression)" }

    init(_ expression: NFTExpression, _ name: String, _ fill: @escaping @Sendable (OpaquePointer) -> Void) {
      self.expression = expression
      self.name = name
      self.fill = fill
    }

    /// `NFTA_EXPR_NAME` and `NFTA_EXPR_DATA` by libnftnl.
    func bytesOfLibrary() -> [UInt8] {
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
      defer { memory.deallocate() }
      memory.initializeMemory(as: UInt8.self, repeating: 0)  // libmnl leaves padding as it is
      let header = mnl_nlmsg_put_header(memory.baseAddress)!
      let object = nftnl_expr_alloc(name)!
      defer { nftnl_expr_free(object) }
      fill(object)
      nftnl_expr_build_payload(header, object)
      return Array(memory[MemoryLayout<nlmsghdr>.size..<Int(header.pointee.nlmsg_len)])
    }
  }

  static let rows: [Row] = [
    Row(.meta(.inInterfaceName, into: 1), "meta") {
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_KEY), NFTMetaKey.inInterfaceName.rawValue)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_DREG), 1)
    },
    Row(.setMeta(.mark, from: 9), "meta") {
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_KEY), NFTMetaKey.mark.rawValue)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_SREG), 9)
    },
    Row(.immediate([1, 0, 0, 0], into: 1), "immediate") {
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_IMM_DREG), 1)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_IMM_DATA), UInt32(littleEndian: 1))
    },
    Row(.payload(.transport, offset: 2, length: 2, into: 1), "payload") {
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_PAYLOAD_BASE), 2)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_PAYLOAD_OFFSET), 2)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_PAYLOAD_LEN), 2)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_PAYLOAD_DREG), 1)
    },
    Row(.bitwise(1, mask: [255, 255, 240, 0], flip: [0, 0, 0, 1], into: 2), "bitwise") {
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_SREG), 1)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_DREG), 2)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_LEN), 4)
      nftnl_expr_set($0, UInt16(NFTNL_EXPR_BITWISE_MASK), [UInt8]([255, 255, 240, 0]), 4)
      nftnl_expr_set($0, UInt16(NFTNL_EXPR_BITWISE_XOR), [UInt8]([0, 0, 0, 1]), 4)
    },
    Row(.compare(.notEqual, 1, [10, 1, 2]), "cmp") {
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_CMP_SREG), 1)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_CMP_OP), NFTComparison.notEqual.rawValue)
      nftnl_expr_set($0, UInt16(NFTNL_EXPR_CMP_DATA), [UInt8]([10, 1, 2]), 3)
    },
    Row(.range(1, from: [0, 1], to: [0, 9], inverted: true), "range") {
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_RANGE_SREG), 1)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_RANGE_OP), NFT_RANGE_NEQ.rawValue)
      nftnl_expr_set($0, UInt16(NFTNL_EXPR_RANGE_FROM_DATA), [UInt8]([0, 1]), 2)
      nftnl_expr_set($0, UInt16(NFTNL_EXPR_RANGE_TO_DATA), [UInt8]([0, 9]), 2)
    },
    Row(.counter(Counters(packets: 7, bytes: 1 << 40)), "counter") {
      nftnl_expr_set_u64($0, UInt16(NFTNL_EXPR_CTR_PACKETS), 7)
      nftnl_expr_set_u64($0, UInt16(NFTNL_EXPR_CTR_BYTES), 1 << 40)
    },
    Row(.verdict(.drop), "immediate") { verdict($0, 0) }, Row(.verdict(.accept), "immediate") { verdict($0, 1) },
    Row(.verdict(.queue), "immediate") { verdict($0, 3) },
    Row(.verdict(.continue), "immediate") { verdict($0, NFT_CONTINUE.rawValue) },
    Row(.verdict(.return), "immediate") { verdict($0, NFT_RETURN.rawValue) },
    Row(.verdict(.jump("web")), "immediate") { verdict($0, NFT_JUMP.rawValue, "web") },
    Row(.verdict(.goto("a-chain-of-twenty-eight-byte")), "immediate") {
      verdict($0, NFT_GOTO.rawValue, "a-chain-of-twenty-eight-byte")
    },
    Row(.limit(NFTLimit(rate: 5, unit: 60, burst: 9)), "limit") { limit($0, NFT_LIMIT_PKTS, 0) },
    Row(.limit(NFTLimit(rate: 5, unit: 60, burst: 9, countsBytes: true, inverted: true)), "limit") {
      limit($0, NFT_LIMIT_PKT_BYTES, UInt32(NFT_LIMIT_F_INV.rawValue))
    },
    Row(.log(logOfAll()), "log") {
      nftnl_expr_set_u16($0, UInt16(NFTNL_EXPR_LOG_GROUP), 3)
      nftnl_expr_set_str($0, UInt16(NFTNL_EXPR_LOG_PREFIX), "dropped: ")
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_LOG_SNAPLEN), 64)
      nftnl_expr_set_u16($0, UInt16(NFTNL_EXPR_LOG_QTHRESHOLD), 5)
    },
    Row(.match(name: "addrtype", revision: 1, bytes: Array(1...16)), "match") {
      nftnl_expr_set_str($0, UInt16(NFTNL_EXPR_MT_NAME), "addrtype")
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_MT_REV), 1)
      structure($0, UInt16(NFTNL_EXPR_MT_INFO))
    },
    Row(.target(name: "MARK", revision: 2, bytes: Array(1...16)), "target") {
      nftnl_expr_set_str($0, UInt16(NFTNL_EXPR_TG_NAME), "MARK")
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_TG_REV), 2)
      structure($0, UInt16(NFTNL_EXPR_TG_INFO))
    },
  ]

  @Test(arguments: rows) func libnftnlMeansTheSame(_ row: Row) throws {
    #expect(try read(row.bytesOfLibrary()) == row.expression)
  }

  @Test(arguments: rows) func itIsWrittenAsLibnftnlDoes(_ row: Row) throws {
    #expect(attributes(written(row.expression)) == attributes(row.bytesOfLibrary()))
    #expect(try read(written(row.expression)) == row.expression)
  }

  /// Everything that no case says is kept, and written as it came.
  @Test func whatIsNotKnownIsKept() throws {
    let masquerade = Row(.opaque(name: "masq", attributes: [8, 0, 1, 0, 0, 0, 0, 4]), "masq") {
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_MASQ_FLAGS), 4)
    }
    let shift = Row(.verdict(.accept), "bitwise") {  // a bitwise that no case says
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_SREG), 1)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_DREG), 1)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_OP), NFT_BITWISE_LSHIFT.rawValue)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_LEN), 4)
      nftnl_expr_set($0, UInt16(NFTNL_EXPR_BITWISE_DATA), [UInt8]([8, 0, 0, 0]), 4)
    }
    let rate = Row(.verdict(.accept), "meta") {  // a key of meta that no case names
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_KEY), NFT_META_SKUID.rawValue)
      nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_DREG), 1)
    }
    #expect(try read(masquerade.bytesOfLibrary()) == masquerade.expression)
    for row in [masquerade, shift, rate] {
      let kept = try read(row.bytesOfLibrary())
      guard case .opaque(row.name, _) = kept else {
        Issue.record("\(kept)")
        continue
      }
      #expect(written(kept) == row.bytesOfLibrary())
    }
    #expect(try read(written(.opaque(name: "notrack", attributes: []))) == .opaque(name: "notrack", attributes: []))
  }

  /// Every shorter beginning and every changed byte of every row is read or refused, never out of bounds.
  @Test(arguments: rows) func damageIsSurvived(_ row: Row) {
    let bytes = written(row.expression)
    for count in 0..<bytes.count { _ = try? read(Array(bytes[..<count])) }
    for place in bytes.indices {
      for value in [0, 1, 3, 4, 255] as [UInt8] {
        var damaged = bytes
        damaged[place] = value
        _ = try? read(damaged)
      }
    }
  }

  private func read(_ bytes: [UInt8]) throws -> NFTExpression {
    try bytes.withUnsafeBytes { try ExpressionAttributes.read($0) }
  }

  /// Without the frame of the list.
  private func written(_ expression: NFTExpression) -> [UInt8] {
    var out = ByteWriter()
    ExpressionAttributes.write(expression, to: &out)
    return Array(out.bytes.dropFirst(4))
  }

  /// The attributes of an expression in an order of their own, since the kernel asks for none: name, and each of the data.
  private func attributes(_ bytes: [UInt8]) -> [[UInt8]] {
    func split(_ bytes: ArraySlice<UInt8>) -> [[UInt8]] {
      var result: [[UInt8]] = []
      var rest = bytes
      while rest.count >= 4 {
        let length = max(4, Int(rest[rest.startIndex]) | Int(rest[rest.startIndex + 1]) << 8)
        result.append(Array(rest.prefix((length + 3) & ~3)))
        rest = rest.dropFirst((length + 3) & ~3)
      }
      return result.sorted { $0.lexicographicallyPrecedes($1) }
    }
    return split(bytes[...]).flatMap { $0[2] == 2 ? split($0.dropFirst(4)) : [$0] }
  }
}

private func verdict(_ object: OpaquePointer, _ code: Int32, _ chain: String? = nil) {
  nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_IMM_DREG), 0)
  nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_IMM_VERDICT), UInt32(bitPattern: code))
  if let chain { nftnl_expr_set_str(object, UInt16(NFTNL_EXPR_IMM_CHAIN), chain) }
}

private func limit(_ object: OpaquePointer, _ kind: nft_limit_type, _ flags: UInt32) {
  nftnl_expr_set_u64(object, UInt16(NFTNL_EXPR_LIMIT_RATE), 5)
  nftnl_expr_set_u64(object, UInt16(NFTNL_EXPR_LIMIT_UNIT), 60)
  nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_LIMIT_BURST), 9)
  nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_LIMIT_TYPE), kind.rawValue)
  nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_LIMIT_FLAGS), flags)
}

/// libnftnl keeps the memory and frees it.
private func structure(_ object: OpaquePointer, _ attribute: UInt16) {
  let memory = malloc(16)!.assumingMemoryBound(to: UInt8.self)
  for place in 0..<16 { memory[place] = UInt8(place + 1) }
  nftnl_expr_set(object, attribute, memory, 16)
}

private func logOfAll() -> NFTLog {
  var log = NFTLog()
  log.group = 3
  log.prefix = Array("dropped: ".utf8)
  log.snapLength = 64
  log.queueThreshold = 5
  return log
}
