// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// The wire codec alone needs lifetimes: its reader may not outlive the bytes it reads.
let codec: [SwiftSetting] = strict + [.enableExperimentalFeature("Lifetimes")]

let package = Package(
  name: "firebreak",
  products: [
    .library(name: "Firebreak", targets: ["Firebreak"]),
    .executable(name: "firebreak", targets: ["FirebreakCLI"]),
  ],
  targets: [
    .systemLibrary(
      name: "CIPTables", path: "Modules/CIPTables", pkgConfig: "libip4tc libip6tc",
      providers: [.apt(["libip4tc-dev", "libip6tc-dev"])]),
    .systemLibrary(
      name: "CNFTables", path: "Modules/CNFTables", pkgConfig: "libnftnl libmnl",
      providers: [.apt(["libnftnl-dev", "libmnl-dev"])]),
    .target(name: "CLinux"),
    .target(name: "Netfilter", swiftSettings: codec),
    .target(name: "RulesetAnalysis", dependencies: ["Netfilter"], swiftSettings: strict),
    .target(name: "RuleStore", dependencies: ["Netfilter", "CLinux"], swiftSettings: strict),
    .target(
      name: "XTablesStore", dependencies: ["RuleStore", "Netfilter", "CIPTables", "CLinux"],
      swiftSettings: codec),
    .target(
      name: "NFTablesStore", dependencies: ["RuleStore", "Netfilter", "CNFTables"], swiftSettings: codec),
    .target(
      name: "CommitEngine", dependencies: ["RuleStore", "Netfilter", "CLinux"],
      swiftSettings: codec),
    .target(
      name: "Firebreak",
      dependencies: [
        "Netfilter", "RulesetAnalysis", "RuleStore", "XTablesStore", "NFTablesStore", "CommitEngine", "CLinux",
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "FirebreakCLI",
      dependencies: [
        // The command imports Firebreak alone, which exports the others; they stand here because the build plan looks at
        // direct dependencies only and would otherwise keep objects that know an older layout of their types.
        "Firebreak", "Netfilter", "RulesetAnalysis", "RuleStore", "XTablesStore", "NFTablesStore", "CommitEngine",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "KernelTestSupport", dependencies: ["CLinux"], path: "Tests/KernelTestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "RuleStoreTests",
      dependencies: [
        "RuleStore", "XTablesStore", "NFTablesStore", "CommitEngine", "Netfilter", "KernelTestSupport", "CNFTables",
        "Fuzzing",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CommandTests", dependencies: ["FirebreakCLI", "Firebreak", "KernelTestSupport", "Fuzzing"],
      swiftSettings: strict),
    .testTarget(name: "NetfilterTests", dependencies: ["Netfilter", "CIPTables"], swiftSettings: codec),
    .testTarget(
      name: "RulesetAnalysisTests",
      dependencies: [
        "RulesetAnalysis", "RuleStore", "NFTablesStore", "XTablesStore", "Netfilter", "KernelTestSupport", "PacketLab",
      ],
      swiftSettings: strict),
    // What fuzzers call, by the tests and by scripts/fuzz.
    .target(
      name: "Fuzzing", dependencies: ["Netfilter", "RuleStore", "XTablesStore"], path: "Tests/Fuzzing",
      swiftSettings: codec),
    .testTarget(name: "FuzzTests", dependencies: ["Fuzzing", "KernelTestSupport"], swiftSettings: strict),
    .target(name: "PacketLab", dependencies: ["CLinux"], path: "Tests/PacketLab", swiftSettings: strict),
    .executableTarget(
      name: "PacketProbe", dependencies: ["PacketLab"], path: "Tests/PacketProbe", swiftSettings: strict),
    .testTarget(
      name: "ExampleTests", dependencies: ["PacketLab", "KernelTestSupport"], swiftSettings: strict),
  ]
)
