using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Nars.Tests.Comparison;

/// <summary>What a store path may hold, to be made by chance and changed by chance.</summary>
internal abstract record Tree
{
    private static readonly string[] Names = ["a", "a-b", "a.b", "a0", "aa", "b", "bin", "B", "é", "z"];

    public sealed record File(byte[] Contents, bool IsExecutable) : Tree;

    public sealed record Symlink(string Target) : Tree;

    public sealed record Directory(SortedDictionary<string, Tree> Entries) : Tree;

    public static Directory Of(params (string Name, Tree Node)[] entries)
    {
        var sorted = new SortedDictionary<string,
            Tree>(Comparer<string>.Create((a, b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b))));
        foreach (var (name, node) in entries)
        {
            sorted[name] = node;
        }

        return new Directory(sorted);
    }

    public static File Text(string text) => new(Encoding.UTF8.GetBytes(text), false);

    public static Tree Random(Random random, int depth = 0) => random.Next(depth < 4 ? 6 : 3) switch
    {
        0 => new Symlink(Names[random.Next(Names.Length)]),
        1 or 2 => new File(Bytes(random), random.Next(2) is 0),
        _ => Of([.. Enumerable.Range(0, random.Next(5)).Select(_ => (Names[random.Next(Names.Length)], Random(random, depth + 1)))]),
    };

    /// <summary>Another tree that has much in common with this one.</summary>
    public Tree Changed(Random random) => random.Next(4) is 0 ? Random(random, 1) : this switch
    {
        Directory directory =>
            Of([.. directory.Entries.Where(_ => random.Next(6) > 0)
            .Select(entry => (entry.Key, random.Next(2) is 0 ? entry.Value : entry.Value.Changed(random))),
            .. random.Next(3) is 0 ? [(Names[random.Next(Names.Length)], Random(random, 3))] : Array.Empty<(string, Tree)>()]),
        File file when random.Next(2) is 0 => file with { IsExecutable = !file.IsExecutable },
        File { Contents.Length: > 0 } file =>
            new File([.. file.Contents[..^1], (byte)(file.Contents[^1] ^ 1), .. new byte[random.Next(3)]], file.IsExecutable),
        _ => this,
    };

    public byte[] ToNar() => TestOutput.Pack(Write);

    /// <summary>All nodes by path; the root is <c>.</c>.</summary>
    public Dictionary<string, Tree> Flat()
    {
        var nodes = new Dictionary<string, Tree>();
        Add(nodes, "");
        return nodes;
    }

    private static byte[] Bytes(Random random)
    {
        var bytes = new byte[
            random.Next(8) switch { 0 => 0, 1 => 65536, 2 => 65536 + random.Next(100), 3 => 200_000, _ => random.Next(300) }];
        random.NextBytes(bytes);
        return bytes;
    }

    private void Add(Dictionary<string, Tree> nodes, string path)
    {
        nodes[path.Length is 0 ? "." : path] = this;
        foreach (var (name, node) in this is Directory directory ? directory.Entries : [])
        {
            node.Add(nodes, path.Length is 0 ? name : $"{path}/{name}");
        }
    }

    private void Write(NarWriter nar)
    {
        switch (this)
        {
            case File file:
                nar.File(file.Contents, file.IsExecutable);
                break;
            case Symlink link:
                nar.Symlink(link.Target);
                break;
            case Directory directory:
                nar.Directory();
                foreach (var (name, node) in directory.Entries)
                {
                    nar.Entry(name);
                    node.Write(nar);
                    nar.EndEntry();
                }

                nar.EndDirectory();
                break;
        }
    }
}
