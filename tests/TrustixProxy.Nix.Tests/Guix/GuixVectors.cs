using System.Text;
using System.Text.Json;

namespace TrustixProxy.Nix.Tests.Guix;

/// <summary>Golden data of <c>tests/Vectors/guix</c>, made and judged by GNU Guix 1.5.0.</summary>
internal static class GuixVectors
{
    public static IReadOnlyList<(string File, bool IsValid)> All { get; } =
    [
        .. JsonDocument.Parse(File.ReadAllText("Vectors/guix/index.json")).RootElement.EnumerateArray().Select(item =>
            (item.Text("file"), item.Text("guix 1.5.0").StartsWith("valid ", StringComparison.Ordinal))),
    ];

    public static string Text(string file) => File.ReadAllText($"Vectors/guix/{file}");

    public static byte[] Bytes(string file) => File.ReadAllBytes($"Vectors/guix/{file}");

    public static GuixPublicKey Key(string name) =>
        GuixPublicKey.TryParse(Text($"{name}.pub"), out var key, out var error) ? key : throw new ArgumentException($"{name}: {error}");

    public static NarInfo NarInfo(string file) => Read(Bytes(file));

    public static NarInfo Read(string text) => Read(Encoding.ASCII.GetBytes(text));

    public static NarInfoError ErrorOf(string text)
    {
        Nix.NarInfo.TryParse(Encoding.UTF8.GetBytes(text), Store.Guix, out _, out var error);
        return error;
    }

    private static NarInfo Read(byte[] bytes) =>
        Nix.NarInfo.TryParse(bytes, Store.Guix, out var narInfo, out var error) ? narInfo : throw new ArgumentException($"{error}");
}
