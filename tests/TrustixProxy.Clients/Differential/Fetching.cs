using TrustixProxy.Nix;

namespace TrustixProxy.Clients.Differential;

/// <summary>Fetches many paths with one version of Nix, and reports which of them it took.</summary>
/// <param name="lab">Runs the client.</param>
/// <param name="client">The version of Nix.</param>
internal sealed class Fetching(ClientLab lab, NixClient client)
{
    /// <summary>Fetches all paths with one process, and then those that it did not take with one process each.</summary>
    /// <remarks>One failure disables a cache, or ends the process, and so hides what the client makes of other paths. Nix 2.34 sometimes
    /// crashes on bytes behind a file, from any cache: then it is asked again.</remarks>
    private const string Script = """
        nix-store --init
        [ -e apart ] || timeout 30 nix-store -r --keep-going $(cat paths) </dev/null >/dev/null 2>log
        nix-store --check-validity --print-invalid $(cat paths) >refused
        once() { timeout 15 nix-store -r "$@" </dev/null >/dev/null 2>log || { echo "ended with $?" >>log; false; }; }
        fetch() { for try in 1 2 3 4 5; do if once "$@" || ! grep --quiet 'Nix crashed' log; then return; fi; done; }
        grep --fixed-strings --file=refused wanted | {
          while read -r path cache; do
            mkdir "${path##*/}"
            (cd "${path##*/}" && fetch "$path" ${cache:+--option substituters "$cache"}) &
            i=$((i + 1))
            [ $((i % 6)) -ne 0 ] || wait
          done
          wait
        }
        nix-store --check-validity --print-invalid $(cat paths)
        """;

    /// <summary>Fetches the paths into a store of its own.</summary>
    /// <param name="way">Names the store.</param>
    /// <param name="keys">The keys that Nix trusts.</param>
    /// <param name="wanted">The paths, and the cache of each.</param>
    public async Task<Fetched> RunAsync(string way, string keys, IReadOnlyList<(StorePath Path, string Cache)> wanted)
    {
        var areApart = wanted.Select(item => item.Cache).Distinct().Count() > 1;
        var machine = Machine.Substituting(client.Version, $"corpus-{way}", areApart ? "" : wanted[0].Cache, keys);
        machine = machine with
        {
            // One attempt each; an error with one path is no reason to leave out the others.
            Settings =
            [
                .. machine.Settings, ("download-attempts", "1"), ("fallback", "true"), ("max-jobs", "16"), ("fsync-metadata", "false"),
                ("narinfo-cache-negative-ttl", "0"),
            ],
        };
        var folder = Directory.CreateDirectory(Path.Combine(lab.Directory, machine.Name)).FullName;
        var lines = wanted.Select(item => $"{item.Path.Absolute}{(areApart ? $" {item.Cache}" : "")}");
        await File.WriteAllLinesAsync(Path.Combine(folder, "wanted"), lines);
        await File.WriteAllLinesAsync(Path.Combine(folder, "paths"), wanted.Select(item => item.Path.Absolute));
        if (areApart)
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "apart"), "");
        }

        var result = await lab.RunAsync(machine, 300, "sh", "-c", $"cd {folder}\n{Script}");
        var refused = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(ClientLab.PathOf).ToHashSet();
        return new Fetched([.. wanted.Select(item => item.Path).Where(path => !refused.Contains(path))], folder);
    }
}

/// <summary>What came of fetching paths.</summary>
/// <param name="Taken">The paths that Nix took.</param>
/// <param name="Folder">The folder with its messages.</param>
internal sealed record Fetched(HashSet<StorePath> Taken, string Folder)
{
    /// <summary>What Nix wrote about a path that it refused.</summary>
    public string MessageOf(StorePath path) => string.Join("; ", File.ReadLines(Path.Combine(Folder, path.ToString(), "log")).Skip(2));
}
