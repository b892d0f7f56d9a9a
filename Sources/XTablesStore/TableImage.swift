package import Netfilter
package import RuleStore

/// How a table lies in the kernel: its built-in chains in hook order, each ended by its policy; its user chains, each
/// begun by an entry with the target ERROR that names it and ended by a RETURN; a last entry with the target ERROR. A jump
/// is the offset of the first rule of a chain.
package enum TableImage {
  static let errorTarget = Array("ERROR".utf8)
  /// `struct xt_error_target`: header, 30 bytes of name, aligned.
  static let errorTargetSize = 64

  static func policySize(_ family: Family) -> Int { RuleCodec.Layout.of(family).size + RuleCodec.standardTargetSize }
  static func headSize(_ family: Family) -> Int { RuleCodec.Layout.of(family).size + errorTargetSize }

  /// Bytes of a table's entries.
  static func byteCount(of table: Table) -> Int {
    table.chains.reduce(headSize(table.family)) { sum, chain in
      sum + chain.rules.bytes.count + policySize(table.family) + (chain.hook == nil ? headSize(table.family) : 0)
    }
  }
}

// MARK: Reading

/// Makes a table of the kernel's image of it.
struct TableImageReader {
  private let id: TableID
  private let info: TableInfo
  private let image: UnsafeRawBufferPointer
  private let layout: RuleCodec.Layout

  /// Where a chain's rules lie, without head, policy or closing RETURN.
  private struct Span {
    let name: ChainName
    let range: Range<Int>
    let rules: Int
    /// Where the policy lies, for a built-in chain.
    let policy: Int?
    /// Where blocks of about ``blockSize`` end before its end does.
    let blockEnds: [Int]
  }

  /// Told how much of the image is not needed any more.
  private let consumed: (Int) -> Void

  init(_ id: TableID, _ info: TableInfo, _ image: UnsafeRawBufferPointer, consumed: @escaping (Int) -> Void = { _ in })
  {
    self.consumed = consumed
    self.id = id
    self.info = info
    self.image = image
    layout = .of(id.family)
  }

  /// The table, and its chains in the image's order.
  /// - Throws: ``WireError`` when the image is not one.
  func read() throws(WireError) -> (table: Table, order: [ChainName]) {
    guard image.count <= Int32.max else { throw invalid(0, "size") }
    let spans = try self.spans()
    var names: [Int32: ChainName] = [:]
    for span in spans where span.policy == nil { names[Int32(span.range.lowerBound)] = span.name }
    var table = Table(id.name, family: id.family)
    var builtIn = table.name.hooks
    for span in spans {
      let index = try place(of: span, in: &table, stillMissing: &builtIn)
      if let policy = span.policy { try readPolicy(policy, into: &table, at: index) }
      var failure: WireError?
      table.withRules(of: index) { rules in
        rules.reserve(rules: span.rules, bytes: span.range.count)
        do throws(WireError) { try append(span, to: &rules, names) } catch { failure = error }
      }
      if let failure { throw failure }
    }
    guard builtIn.isEmpty else { throw invalid(image.count, "hook_entry") }
    return (table, spans.map(\.name))
  }

  /// The place of a chain in the table. Every built-in chain comes once, and no user chain twice.
  private func place(of span: Span, in table: inout Table, stillMissing builtIn: inout HookSet) throws(WireError) -> Int
  {
    if span.policy == nil {
      do throws(Table.Problem) { try table.addChain(span.name) } catch {
        throw invalid(span.range.lowerBound, "errorname")
      }
    }
    guard let index = table.index(of: span.name) else { throw invalid(span.range.lowerBound, "hook_entry") }
    guard span.policy != nil else { return index }
    guard let hook = table.chains[index].hook, builtIn.remove(HookSet(hook)) != nil else {
      throw invalid(span.range.lowerBound, "hook_entry")
    }
    return index
  }

  private func append(_ span: Span, to rules: inout RuleList, _ names: [Int32: ChainName]) throws(WireError) {
    var start = span.range.lowerBound
    for end in span.blockEnds + [span.range.upperBound] where end > start {
      let part = UnsafeRawBufferPointer(rebasing: image[start..<end])
      try rules.append(kernelEntries: part, at: start) { names[$0] }
      consumed(end)
      start = end
    }
  }

  /// The image is taken in blocks, so that each can be given back when it has been copied.
  private static let blockSize = 4 << 20

  private func readPolicy(_ offset: Int, into table: inout Table, at index: Int) throws(WireError) {
    let target = offset + number16(offset + layout.targetOffset)
    guard number16(target) == RuleCodec.standardTargetSize else { throw invalid(target, "target_size") }
    let verdict = Verdict(
      kernelNumber: image.loadUnaligned(fromByteOffset: target + RuleCodec.extensionHeaderSize, as: Int32.self))
    guard verdict == .accept || verdict == .drop else {
      throw invalid(target + RuleCodec.extensionHeaderSize, "verdict")
    }
    let counters = Counters(
      packets: image.loadUnaligned(fromByteOffset: offset + layout.counters, as: UInt64.self),
      bytes: image.loadUnaligned(fromByteOffset: offset + layout.counters + 8, as: UInt64.self))
    table.setPolicyUnchecked(verdict == .accept ? .accept : .drop, at: index, counters: counters)
  }

  /// Walks all entries once.
  private func spans() throws(WireError) -> [Span] {
    var spans: [Span] = []
    var chain: (name: ChainName, start: Int, rules: Int, isUser: Bool)?
    var lastSize = 0
    var offset = 0
    var blockEnds: [Int] = []
    let builtIn = info.validHooks.hooks
    func closeUserChain() throws(WireError) {
      guard let open = chain, open.isUser else { return }
      guard open.rules > 0, isReturn(offset - lastSize) else { throw invalid(offset - lastSize, "verdict") }
      spans.append(
        Span(
          name: open.name, range: open.start..<offset - lastSize, rules: open.rules - 1, policy: nil,
          blockEnds: blockEnds))
      chain = nil
    }
    while offset < image.count {
      let size = try entrySize(offset)
      if let hook = builtIn.first(where: { info.hookEntries[Int($0.rawValue)] == offset }) {
        chain = (hook.chainName, offset, 0, false)
        blockEnds = []
      }
      if let hook = builtIn.first(where: { info.underflows[Int($0.rawValue)] == offset }) {
        guard let open = chain else { throw invalid(offset, "underflow") }
        spans.append(
          Span(
            name: hook.chainName, range: open.start..<offset, rules: open.rules, policy: offset, blockEnds: blockEnds))
        chain = nil
      } else if let name = try errorName(offset, size) {
        try closeUserChain()
        if offset + size < image.count { chain = (ChainName(unchecked: name), offset + size, 0, true) }
        blockEnds = []
      } else {
        chain?.rules += 1
        if let open = chain, offset - (blockEnds.last ?? open.start) >= Self.blockSize { blockEnds.append(offset) }
      }
      lastSize = size
      offset += size
    }
    guard chain == nil else { throw invalid(offset, "errorname") }
    return spans
  }

  /// Whether the entry ends a user chain.
  private func isReturn(_ offset: Int) -> Bool {
    let target = offset + number16(offset + layout.targetOffset)
    return number16(offset + layout.targetOffset) == layout.size && image[target + 2] == 0
      && number16(target) == RuleCodec.standardTargetSize
      && image.loadUnaligned(fromByteOffset: target + RuleCodec.extensionHeaderSize, as: Int32.self)
        == Verdict.return.kernelNumber
  }

  private func entrySize(_ offset: Int) throws(WireError) -> Int {
    guard offset + layout.size + RuleCodec.extensionHeaderSize <= image.count else { throw invalid(offset, "entry") }
    let size = number16(offset + layout.nextOffset)
    guard size > 0, offset + size <= image.count else { throw invalid(offset + layout.nextOffset, "next_offset") }
    let entry = UnsafeRawBufferPointer(rebasing: image[offset..<offset + size])
    do throws(WireError) {
      try RuleCodec.check(entry.bytes, family: id.family)
    } catch {
      throw WireError(offset: offset + error.offset, field: error.field, reason: error.reason)
    }
    return size
  }

  /// The name in an entry that begins a chain; nil for any other entry.
  private func errorName(_ offset: Int, _ size: Int) throws(WireError) -> String? {
    let target = offset + number16(offset + layout.targetOffset)
    guard image[target + 2] == TableImage.errorTarget[0], target + RuleCodec.extensionHeaderSize < offset + size else {
      return nil
    }
    let name = image[target + 2..<target + 2 + RuleCodec.extensionNameSize].prefix { $0 != 0 }
    guard name.elementsEqual(TableImage.errorTarget) else { return nil }
    let text = image[target + RuleCodec.extensionHeaderSize..<offset + size].prefix { $0 != 0 }
    guard (1...ChainName.maxBytes).contains(text.count), text.allSatisfy({ $0 > 0x20 && $0 != 0x7f }),
      let name = String(validating: text, as: UTF8.self)
    else {
      throw invalid(target + RuleCodec.extensionHeaderSize, "errorname")
    }
    return name
  }

  private func number16(_ offset: Int) -> Int { Int(image.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }

  private func invalid(_ offset: Int, _ field: String) -> WireError {
    WireError(offset: offset, field: field, reason: .invalid)
  }
}

extension TableImage {
  /// Reads a table from the kernel's two answers about it, `struct ipt_getinfo` and the entries.
  /// - Throws: ``WireError`` when they are not what the kernel gives.
  package static func read(_ id: TableID, info: UnsafeRawBufferPointer, entries: UnsafeRawBufferPointer)
    throws(WireError) -> Table
  {
    guard info.count >= TableInfo.size else {
      throw WireError(offset: info.count, field: "ipt_getinfo", reason: .truncated)
    }
    return try TableImageReader(id, TableInfo(info), entries).read().table
  }

  /// The two answers that ``read(_:info:entries:)`` makes this table of.
  package static func answers(for table: Table) -> (info: [UInt8], entries: [UInt8]) {
    let image = TableImageWriter(table)
    let written = UnsafeRawBufferPointer(image.memory.bytes)
    var info = [UInt8](repeating: 0, count: TableInfo.size)
    info.replaceSubrange(0..<32, with: Array(table.name.rawValue.utf8) + zeros(32 - table.name.rawValue.utf8.count))
    info.replaceSubrange(32..<36, with: written[32..<36])
    info.replaceSubrange(36..<76, with: written[44..<84])
    info.replaceSubrange(76..<84, with: written[36..<44])
    return (info, Array(written[TableInfo.replaceEntriesOffset...]))
  }

  private static func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }
}

// MARK: Writing

/// Lays a table out as the kernel wants it: `struct ipt_replace` and its entries.
struct TableImageWriter: ~Copyable {
  let memory: PageMemory
  let entryCount: Int

  init(_ table: Table) {
    let family = table.family
    let layout = RuleCodec.Layout.of(family)
    let head = TableImage.headSize(family)
    let end = TableImage.policySize(family)
    var size = 0
    var count = 1
    var firstRules: [ChainName: Int] = [:]
    for chain in table.chains {
      if chain.hook == nil {
        size += head
        count += 1
      }
      firstRules[chain.name] = size
      size += chain.rules.bytes.count + end
      count += chain.rules.count + 1
    }
    size += head
    memory = PageMemory(count: TableInfo.replaceEntriesOffset + size)
    entryCount = count

    let all = memory.bytes
    all.storeBytes(of: UInt32(table.name.hooks.rawValue), toByteOffset: 32, as: UInt32.self)
    all.storeBytes(of: UInt32(count), toByteOffset: 36, as: UInt32.self)
    all.storeBytes(of: UInt32(size), toByteOffset: 40, as: UInt32.self)
    let entries = UnsafeMutableRawBufferPointer(rebasing: all[TableInfo.replaceEntriesOffset...])
    var offset = 0
    for chain in table.chains {
      if chain.hook == nil { Self.writeHead(chain.name.text, at: &offset, layout, entries) }
      let start = offset
      Self.writeRules(chain.rules, at: &offset, layout, entries, firstRules)
      if let hook = chain.hook {
        all.storeBytes(of: UInt32(start), toByteOffset: 44 + 4 * Int(hook.rawValue), as: UInt32.self)
        all.storeBytes(of: UInt32(offset), toByteOffset: 64 + 4 * Int(hook.rawValue), as: UInt32.self)
      }
      let verdict = chain.policy.map { $0.verdict.kernelNumber } ?? Verdict.return.kernelNumber
      Self.writeEnd(verdict, at: &offset, layout, entries)
    }
    Self.writeHead("ERROR", at: &offset, layout, entries)
  }

  private static func writeHead(
    _ name: String, at offset: inout Int, _ layout: RuleCodec.Layout, _ out: UnsafeMutableRawBufferPointer
  ) {
    let size = layout.size + TableImage.errorTargetSize
    out.storeBytes(of: UInt16(layout.size), toByteOffset: offset + layout.targetOffset, as: UInt16.self)
    out.storeBytes(of: UInt16(size), toByteOffset: offset + layout.nextOffset, as: UInt16.self)
    let target = offset + layout.size
    out.storeBytes(of: UInt16(TableImage.errorTargetSize), toByteOffset: target, as: UInt16.self)
    for (place, byte) in TableImage.errorTarget.enumerated() { out[target + 2 + place] = byte }
    for (place, byte) in name.utf8.prefix(ChainName.maxBytes).enumerated() {
      out[target + RuleCodec.extensionHeaderSize + place] = byte
    }
    offset += size
  }

  private static func writeEnd(
    _ verdict: Int32, at offset: inout Int, _ layout: RuleCodec.Layout, _ out: UnsafeMutableRawBufferPointer
  ) {
    let size = layout.size + RuleCodec.standardTargetSize
    out.storeBytes(of: UInt16(layout.size), toByteOffset: offset + layout.targetOffset, as: UInt16.self)
    out.storeBytes(of: UInt16(size), toByteOffset: offset + layout.nextOffset, as: UInt16.self)
    let target = offset + layout.size
    out.storeBytes(of: UInt16(RuleCodec.standardTargetSize), toByteOffset: target, as: UInt16.self)
    out.storeBytes(of: verdict, toByteOffset: target + RuleCodec.extensionHeaderSize, as: Int32.self)
    offset += size
  }

  private static func writeRules(
    _ rules: RuleList, at offset: inout Int, _ layout: RuleCodec.Layout, _ out: UnsafeMutableRawBufferPointer,
    _ chains: [ChainName: Int]
  ) {
    guard !rules.isEmpty else { return }
    let start = offset
    rules.bytes.withUnsafeBytes { bytes in
      UnsafeMutableRawBufferPointer(rebasing: out[start..<start + bytes.count]).copyMemory(from: bytes)
    }
    for index in rules.indices {
      let rule = start + Int(rules.starts[index])
      let target = rule + Int(out.loadUnaligned(fromByteOffset: rule + layout.targetOffset, as: UInt16.self))
      let label = rules.standardLabel(of: index)
      let verdict: Int32
      switch label {
      case .extension: continue
      case .none:
        verdict = Int32(rule + Int(out.loadUnaligned(fromByteOffset: rule + layout.nextOffset, as: UInt16.self)))
      case .verdict(let known): verdict = known.kernelNumber
      case .chain(let name):
        // An extension may look like a jump; the kernel knows it by its name then.
        guard let place = chains[name] else { continue }
        verdict = Int32(place)
      }
      UnsafeMutableRawBufferPointer(rebasing: out[target + 2..<target + RuleCodec.standardTargetSize])
        .initializeMemory(
          as: UInt8.self, repeating: 0)
      out.storeBytes(of: verdict, toByteOffset: target + RuleCodec.extensionHeaderSize, as: Int32.self)
    }
    offset = start + rules.bytes.count
  }
}
