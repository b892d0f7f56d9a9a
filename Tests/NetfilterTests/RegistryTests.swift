import Glibc
import Testing

@testable import Netfilter

/// What holds for every registered extension, so that one that is added cannot forget a facet.
@Suite struct RegistryTests {
  private static let definitions: [(type: String, definition: ExtensionDefinition)] =
    Registry.standard.matches.map { ("\($0)", $0.definition) }
    + Registry.standard.targets.map { ("\($0)", $0.definition) }

  /// The rows of an extension stand in a file named after its type, and exercise text, bytes and refusal.
  @Test func everyExtensionHasRows() throws {
    for (type, definition) in Self.definitions {
      let rows = try #require(Self.rows(of: type), "\(definition.name) has no file of rows")
      #expect(rows.contains("prints:") || rows.contains("wire:"), "\(type) is not printed in any row")
      #expect(rows.contains("wire:"), "\(type) shows its bytes in no row")
      #expect(
        definition.options.isEmpty || rows.contains("refus") || rows.contains("says:"),
        "\(type) refuses nothing in any row")
      #expect(rows.contains("lists:"), "\(type) is listed in no row")
      #expect(rows.contains("PacketRow(") || rows.contains("ActionRow("), "\(type) meets a packet in no row")
      for option in definition.options {
        #expect(
          option.allNames.contains { rows.contains("\($0)") }, "\(option.name) of \(definition.name) stands in no row")
      }
    }
  }

  @Test func definitionsAreWhole() {
    for (type, definition) in Self.definitions {
      #expect(!definition.name.isEmpty && definition.name.utf8.count <= 16, "\(type)")
      #expect(!definition.summary.isEmpty, "\(type)")
      #expect(!definition.families.isEmpty && !definition.revisions.isEmpty, "\(type)")
      let names = definition.options.flatMap { $0.allNames.map { "\($0)" } }
      #expect(Set(names).count == names.count, "\(type) declares an option twice")
      #expect(names.allSatisfy { $0.hasPrefix("--") && $0.count > 2 }, "\(type)")
      let own = Set(names)
      for option in definition.options {
        #expect(
          option.excludes.allSatisfy { own.contains("\($0)") }, "\(type): \(option.name) excludes what is not there")
      }
    }
  }

  /// The registry's own lines say of an extension what its definition says.
  @Test func linesAgreeWithDefinitions() {
    let lines =
      Registry.standard.knownMatches.map { ($0.names, $0.type().definition) }
      + Registry.standard.knownTargets.map { ($0.names, $0.type().definition) }
    for (names, definition) in lines {
      #expect("\(names.name)" == definition.name)
      #expect("\(names.kernelName)" == definition.kernelName, "\(names.name)")
      #expect(names.aliases.map { "\($0)" } == definition.aliases, "\(names.name)")
      #expect(names.family.map { [$0] } ?? [.ipv4, .ipv6] == definition.families, "\(names.name)")
    }
  }

  /// A name in text means one type in each family.
  @Test func namesAreUnique() {
    for family in Family.allCases {
      let matches = Registry.standard.matches.map { $0.definition }.filter { $0.families.contains(family) }
      let targets = Registry.standard.targets.map { $0.definition }.filter { $0.families.contains(family) }
      for definitions in [matches, targets] {
        let names = definitions.flatMap { [$0.name] + $0.aliases }
        #expect(Set(names).count == names.count, "\(family): \(names.sorted())")
      }
    }
  }

  /// Two types that differ in nothing but their header share a file of rows.
  private static let sharedRows = [
    "DestinationOptions": "IPv6OptionHeaders", "HopByHopOptions": "IPv6OptionHeaders",
  ]

  private static func rows(of type: String) -> String? {
    let type = sharedRows[type] ?? type
    let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    for path in ["Matches/\(type)Rows.swift", "Targets/\(type)Rows.swift", "Targets/\(type)Tests.swift"] {
      guard let file = fopen("/\(folder)/\(path)", "r") else { continue }
      defer { fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 1 << 20)
      let count = fread(&bytes, 1, bytes.count, file)
      return String(decoding: bytes[..<count], as: UTF8.self)
    }
    return nil
  }
}
