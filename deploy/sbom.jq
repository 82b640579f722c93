# `cargo metadata` as a bill of materials (CycloneDX 1.6) of what is in the two programs: everything that is reached from them by
# ordinary dependencies and those of build scripts, and nothing that only tests and development use. See deploy/sbom.
.packages as $packages | .resolve.nodes as $nodes
| ($packages | map({key: .id, value: .}) | from_entries) as $package
| ($nodes | map({key: .id, value: [.deps[] | select(any(.dep_kinds[]; .kind != "dev")) | .pkg]}) | from_entries) as $needs
| ($packages | map(select(.source == null and (.name | IN("erp-api", "erp-worker"))) | .id)) as $programs
| def reached: . as $known | ($known + ([$known[] | $needs[.][]])) | unique | if length == ($known | length) then . else reached end;
def purl: "pkg:cargo/\(.name)@\(.version)";
($programs | reached) as $all
| ($all | map($package[.])) as $in
| if ($programs | length) != 2 or ($in | length) < 50 then error("the programs are not among the packages") else . end
| {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: "urn:uuid:\($uuid)",
    version: 1,
    metadata: {
      timestamp: $date,
      tools: {components: [{type: "application", name: "deploy/sbom"}]},
      component: {type: "application", "bom-ref": "erp-mif", name: "erp-mif", version: $version}
    },
    components: ($in | map(
      {
        type: (if .source == null and (.name | IN("erp-api", "erp-worker")) then "application" else "library" end),
        "bom-ref": purl, name, version, scope: "required"
      }
      + (if .description then {description: .description} else {} end)
      + (if .license then {licenses: [{expression: (.license | gsub("/"; " OR "))}]}
         elif .license_file then {licenses: [{license: {name: "its own file, \(.license_file)"}}]} else {} end)
      + (if .source then {purl: purl} else {} end)
      + ($checksums["\(.name) \(.version)"] as $sum | if $sum then {hashes: [{alg: "SHA-256", content: $sum}]} else {} end)
      + (if .repository and (.repository | startswith("http")) then {externalReferences: [{type: "vcs", url: .repository}]} else {} end)
    ) | sort_by(."bom-ref")),
    dependencies: ([{ref: "erp-mif", dependsOn: ($programs | map($package[.] | purl) | sort)}]
      + ($all | map({ref: ($package[.] | purl), dependsOn: ($needs[.] | map($package[.] | purl) | unique)}) | sort_by(.ref)))
  }
