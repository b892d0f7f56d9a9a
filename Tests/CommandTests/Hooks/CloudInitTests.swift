import KernelTestSupport
import Testing

private let tools = Built.packageDirectory + "/.build/tools/cloud-init"
private let cloudInit = tools + "/usr/bin/cloud-init"

/// The user data of the examples, given to cloud-init at the first start of a machine: a view of this system in which what is
/// written goes nowhere. scripts/setup has cloud-init unpacked.
@Suite(.requires(.root, .nfTables, .tool("iptables-nft-save"), .tool(cloudInit)))
struct CloudInitTests {
  /// The four stages of a start. Of what cloud-init does there only that is left in which user data can ask for.
  private static let start = """
    set -eu
    data=$1 root=$2 tools=$3 package=$4
    mount -t tmpfs tmpfs "$root"
    mkdir "$root"/{upper,work,system}
    system=$root/system
    mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$system"
    for folder in /proc /sys /dev /tmp "$package"; do
      mkdir -p "$system$folder"
      mount --rbind "$folder" "$system$folder"
    done
    mount -t tmpfs tmpfs "$system/run"
    mkdir -p "$system/etc/cloud" "$system/var/lib/cloud/seed/nocloud"
    cat >"$system/etc/cloud/cloud.cfg" <<'END'
    datasource_list: [NoCloud]
    datasource: {NoCloud: {fs_label: null}}
    network: {config: disabled}
    cloud_init_modules: [write-files]
    cloud_config_modules: [runcmd]
    cloud_final_modules: [scripts-user]
    END
    cp "$data" "$system/var/lib/cloud/seed/nocloud/user-data"
    echo "instance-id: test" >"$system/var/lib/cloud/seed/nocloud/meta-data"
    run() { PYTHONPATH=$tools/usr/lib/python3/dist-packages chroot "$system" python3 "$tools/usr/bin/cloud-init" "$@"; }
    run schema --config-file /var/lib/cloud/seed/nocloud/user-data
    run init --local
    run init
    run modules --mode=config
    run modules --mode=final
    cat "$system/run/cloud-init/result.json"
    stat -c '%n %a' "$system"/etc/firebreak/* "$system"/etc/systemd/system/firebreak.service | sed "s|$system||"
    """

  @Test func theFirstStart() throws {
    let space = try TestNamespace()
    let root = try ImageRoot()
    let shown = try runProcess([
      Built.firebreak, "hook", "show", "cloud-init", "--program", Built.firebreak, "--state-dir", space.stateDirectory,
      "--backend", "nft",
    ])
    let data = try space.file("user-data.yaml", shown.output)
    let driver = try space.file("start.sh", Self.start + "\n")
    let result = try space.run(
      ["unshare", "--mount", "bash", driver, data, root.path, tools, Built.packageDirectory], timeout: 120)
    #expect(result.status == 0 && result.stdout.contains("\"errors\": []"), "\(result)")
    #expect(result.stdout.contains("Valid cloud-config"), "\(result)")
    for file in [
      "/etc/firebreak/rules.v4 600", "/etc/firebreak/rules.v6 600", "/etc/systemd/system/firebreak.service 644",
    ] {
      #expect(result.stdout.contains(file + "\n"), "\(result.stdout)")
    }
    let live = try ["iptables-nft-save", "ip6tables-nft-save"].map { try space.require([$0]).stdout }.joined()
    let rules = live.split(separator: "\n").filter { $0.hasPrefix("-A") }
    #expect(rules.count == 9 && rules.contains("-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"), "\(live)")
    #expect(live.contains(":INPUT DROP"))
    #expect(try space.firebreak(["log"]).stdout.contains("cloud-init"))
  }
}
