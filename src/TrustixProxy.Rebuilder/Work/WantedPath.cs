using System.Collections.Immutable;
using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Derivations;

namespace TrustixProxy.Rebuilder.Work;

/// <summary>A path that a proxy could not decide on.</summary>
/// <param name="Path">The path.</param>
/// <param name="Requests">How often it was asked for.</param>
/// <param name="Roots">How many roots it holds back.</param>
/// <param name="Derivers">The derivations that upstreams name: hints, of which none is believed.</param>
public sealed record WantedPath(StorePath Path, long Requests, long Roots, ImmutableArray<StorePath> Derivers)
{
    /// <summary>Maximum number of paths read from one list.</summary>
    public const int MaxPaths = 10_000;

    private const int MaxDerivers = 8;

    /// <summary>Reads the answer of <c>GET /wanted</c>. Leaves out unknown members, and entries that are not store paths or are
    /// derivations: a list does not choose which derivation is built.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> json, out IReadOnlyList<WantedPath> wanted, out string error)
    {
        wanted = [];
        error = "";
        try
        {
            using var document = JsonDocument.Parse(json);
            var items = document.RootElement.GetProperty("wanted").EnumerateArray().Take(MaxPaths).ToList();
            wanted = [.. items.Select(ReadOne).OfType<WantedPath>()];
            error = wanted.Count is 0 && items.Exists(IsOfGuix)
                ? $"lists paths in {Store.Guix}; the rebuilder builds with Nix, so remove this proxy from "
                    + "rebuilder.wanted. 'guix build --no-substitutes --check PACKAGE' builds again with Guix" : "";
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException
            or FormatException)
        {
            error = $"is not a work list: {exception.Message}";
        }

        return error.Length is 0;
    }

    private static WantedPath? ReadOne(JsonElement item) =>
        StorePath.TryParseAbsolute(item.GetProperty("storePath").GetString(), Store.Nix, out var path, out _)
            && !Derivation.IsNamedBy(path)
            ? new WantedPath(path, Number(item, "requests"), Number(item, "roots"), ReadDerivers(item)) : null;

    private static bool IsOfGuix(JsonElement item) =>
        StorePath.TryParseAbsolute(item.GetProperty("storePath").GetString(), Store.Guix, out _, out _);

    private static long Number(JsonElement item, string name) =>
        item.TryGetProperty(name, out var value) && value.TryGetInt64(out var number) ? Math.Clamp(number, 0, int.MaxValue) : 0;

    private static ImmutableArray<StorePath> ReadDerivers(JsonElement item) =>
        !item.TryGetProperty("derivers", out var list) || list.ValueKind is not JsonValueKind.Array ? []
        : [.. list.EnumerateArray().Take(MaxDerivers).Select(text =>
            StorePath.TryParseAbsolute(text.GetString(), Store.Nix, out var path, out _) ? path : null)
            .OfType<StorePath>().Where(Derivation.IsNamedBy)];
}
