internal import Firebreak

struct SnapshotCommand: Subcommand {
  static let name = "snapshot"

  static let about = About(
    "Keep everything that nf_tables holds in a file.",
    discussion: """
      Reads the tables of nf_tables, anybody's and of every family (ip, ip6, inet, arp, bridge, netdev), as they are in one \
      moment: chains, rules with their counters, sets and maps with what is left of their elements' time, counters, quotas \
      and other objects, flowtables. `firebreak restore` puts them back. What ip_tables holds (iptables-legacy) is not in \
      it: use `firebreak save` and `apply` for that.

      A table that belongs to one process (flags owner) is left out and named.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var image: ImageOptions

  @Argument("file", help: "Where to write it; - for standard output.")
  var file: String

  func run() throws {
    try site.run { console in
      try site.enter()
      let reading = try RulesetImage.read(image.selection(site))
      for table in reading.owned {
        console.note("table \(table.id) is left out: it belongs to \(table.owner), which alone may change it")
      }
      if file == "-" {
        console.print(bytes: reading.image.encoded)
        return
      }
      try OutputFile.write(reading.image.encoded, to: file)
      if console.isJSON {
        console.print(.array(reading.image.tables.map { JSON($0) }))
      } else {
        for table in reading.image.tables { console.say(table.summary) }
        if reading.image.tables.isEmpty { console.say("nf_tables holds nothing that was asked for") }
      }
    }
  }
}
