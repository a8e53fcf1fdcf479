using TrustixProxy.Nix;

namespace TrustixProxy.Fuzz;

/// <summary>GNU Guix's narinfos, keys and signatures.</summary>
internal static class GuixDoors
{
    public static IEnumerable<Door> All()
    {
        var narInfos = new[] { "hello.alice", "hello.cached", "hello.rsa", "many.alice", "source.alice", "x-signature-last" }
            .Select(name => File.ReadAllBytes($"Vectors/guix/{name}.narinfo")).ToList();
        string[] keys = [.. new[] { "alice", "p256", "rsa" }.Select(name => File.ReadAllText($"Vectors/guix/{name}.pub"))];
        string[] signatures = [.. narInfos.Select(bytes => $"{Read(bytes)!.GuixSignature}")];

        yield return Door.OfText("Store", text => Store.TryParse(text, out _), "/nix/store", "/gnu/store");
        yield return Door.OfText("SExpression", text => SExpression.TryParse(text, out _),
            [.. keys, File.ReadAllText("Vectors/guix/acl"), "(a \"b\" #00# (c))"]);
        yield return Door.OfText("GuixPublicKey", text => GuixPublicKey.TryParse(text, out _, out _), keys);
        yield return Door.OfText("GuixAcl", text => GuixAcl.TryParse(text, out _, out _), File.ReadAllText("Vectors/guix/acl"));
        yield return Door.OfText("GuixSignature", IsSignature, signatures);
        yield return Door.OfText("CacheSignature", text => CacheSignature.TryParse(text, out _),
            [.. signatures, NixSecretKey.Generate("fuzz-1").Sign("x").ToString()]);
        yield return new Door("NarInfo of Guix", narInfos, bytes => Read(bytes) is { } narInfo && Reads(narInfo));
    }

    private static NarInfo? Read(byte[] bytes) => NarInfo.TryParse(bytes, Store.Guix, out var narInfo, out _) ? narInfo : null;

    /// <summary>Verifies it too: a damaged one must not be one by the key that made the undamaged one.</summary>
    private static bool IsSignature(string text)
    {
        var isRead = GuixSignature.TryParse(text, out var signature);
        foreach (var key in Keys)
        {
            _ = isRead && key.Verify(signature!, out _);
        }

        return isRead;
    }

    /// <summary>Whether what was read is written as what it was.</summary>
    private static bool Reads(NarInfo narInfo) =>
        Read(System.Text.Encoding.ASCII.GetBytes(narInfo.ToString()))?.ToString() == narInfo.ToString();

    private static IEnumerable<GuixPublicKey> Keys { get; } = [.. new[] { "alice", "p256", "rsa" }
        .Select(name => GuixPublicKey.TryParse(File.ReadAllText($"Vectors/guix/{name}.pub"), out var key, out _) ? key : null!)];
}
