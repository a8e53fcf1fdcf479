using System.Buffers;
using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Fairness;


namespace TrustixProxy.Substituter.Substitution;

/// <summary>Tells which agreed NAR holds the debug information of a build ID.</summary>
/// <param name="upstreams">The upstreams that are asked; those that serve only some names are not, because a build ID has none.</param>
/// <param name="archives">Knows the paths of files.</param>
/// <param name="decisions">Decides on those paths, at each request.</param>
/// <param name="deadline">Maximum wait for the upstreams.</param>
/// <remarks>
/// <code>
/// upstream: {"archive":"../nar/FILEHASH.nar.xz","member":"lib/debug/.build-id/ab/cdef….debug"}    only a hint
/// answer:   {"archive":"../nar/DIGEST/NARHASH/FILEHASH.nar.xz","member":…}                        the NAR route verifies what follows
/// </code>
/// The member's name follows from the build ID; an upstream that names another is not believed. Source: nix
/// <c>binary-cache-store.cc</c>, <c>index-debug-info</c>.</remarks>
internal sealed class DebugInfo(
    ImmutableArray<Upstream> upstreams, DebugArchives archives, ClosureGate decisions, TimeSpan deadline, TimeProvider time)
{
    private const int IdLength = 40, MaxSize = 4096;
    private static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdef");

    private const string ArchivePrefix = "../nar/", ArchiveExtension = ".nar", FileSuffix = ".debug";

    /// <summary>Whether a text is a build ID as caches index it: 20 bytes in lower-case hex, and <c>.debug</c>, which some clients leave
    /// out.</summary>
    public static bool IsFile(ReadOnlySpan<char> text) =>
        (text.EndsWith(FileSuffix) ? text[..^FileSuffix.Length] : text) is { Length: IdLength } buildId && !buildId.ContainsAnyExcept(Hex);

    /// <summary>Answers with the archive that holds the debug information of a build ID.</summary>
    /// <param name="context">The request.</param>
    /// <param name="file">The file that it asks for, and that upstreams are asked for.</param>
    public async Task AnswerAsync(HttpContext context, string file)
    {
        await Task.Yield(); // do not block the thread that read the request
        Requester.Follow(context);
        using var late = new CancellationTokenSource(deadline, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted);
        var member = $"lib/debug/.build-id/{file[..2]}/{file[2..IdLength]}{FileSuffix}";
        var asked = upstreams.Where(upstream => !upstream.Options.IsLimited).OrderBy(upstream => upstream.Options.Priority)
            .Select(upstream => upstream.ReadAsync($"debuginfo/{file}", MaxSize, end.Token)).ToList();
        var answer = await FirstAsync(asked, member, context.RequestAborted);
        await end.CancelAsync(); // nobody waits for the others
        if (answer is not var (decision, nar))
        {
            await context.WriteTextAsync(
                StatusCodes.Status404NotFound, $"{file}: no upstream names an archive that is known to be an agreed NAR\n");
            return;
        }

        context.Response.Mark(decision);
        await context.WriteBodyAsync(StatusCodes.Status200OK, "application/json", JsonSerializer.SerializeToUtf8Bytes(
            new DebugArchive($"../{nar}", member), DebugArchiveJson.Default.DebugArchive));
    }

    /// <summary>Returns the first agreed NAR that an upstream names, by priority; null when none names one.</summary>
    private async Task<(string Decision, NarUrl Nar)?> FirstAsync(
        IEnumerable<Task<UpstreamAnswer>> asked, string member, CancellationToken cancellation)
    {
        foreach (var next in asked)
        {
            if (await next is UpstreamAnswer.FoundFile { File: var json } && ArchiveOf(json, member) is { } hash
                && await FindAsync(hash, cancellation) is { } answer)
            {
                return answer;
            }
        }

        return null;
    }

    /// <summary>Returns the hash of the file that an upstream names; null when it names anything else.</summary>
    private static NixHash? ArchiveOf(ReadOnlyMemory<byte> json, string member)
    {
        try
        {
            var named = JsonSerializer.Deserialize(json.Span, DebugArchiveJson.Default.DebugArchive);
            return named?.Member == member && named.Archive is { } archive
                && archive.StartsWith(ArchivePrefix, StringComparison.Ordinal)
                && archive.IndexOf(ArchiveExtension, ArchivePrefix.Length, StringComparison.Ordinal) is var dot and > 0
                && NarCompression.OfSuffix(archive[(dot + ArchiveExtension.Length)..]) is not null
                && NixHash.TryParseDigits(NixHashAlgorithm.Sha256, archive.AsSpan(ArchivePrefix.Length..dot), out var hash, out _)
                ? hash : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Returns the address of the agreed NAR that is this file; null when there is none.</summary>
    private async Task<(string Decision, NarUrl Nar)?> FindAsync(NixHash file, CancellationToken cancellation)
    {
        if (archives.Find(file) is not { } digest)
        {
            return null;
        }

        var record = (await decisions.DecideAsync(digest, cancellation)).Record;
        return record is { Claim: { } claim, Hints: { } hints } && hints.FileHash == file
            ? (Consensus.OutcomeWords.Word(record.Outcome), new NarUrl(digest, claim.NarHash, file, hints.Compression)) : null;
    }
}
