using System.Net;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using static TrustixProxy.Testing.RecordedCast;

namespace TrustixProxy.Substituter.Tests.Upgrade;

/// <summary>The state directory of version 0.1 opens: what took trust away still does, and what was recorded is still there.</summary>
public sealed class RecordedStateTests
{
    [Fact]
    public async Task Revocations_of_paths_and_nars_hold_with_their_numbers_and_reasons()
    {
        await using var proxy = await OpenAsync();

        var path = await proxy.AskAsync(RevokedPath.Path);
        var nar = await proxy.AskAsync(RevokedNar.Path);
        var undone = await proxy.AskAsync(Undone.Path);

        Assert.Equal((HttpStatusCode.NotFound, "revoked"), (path.Status, path.Decision));
        Assert.Matches($"revoked \\(no\\. 1, 2026-11-28 .*\\): {PathReason}\n$", path.Text);
        Assert.Equal((HttpStatusCode.NotFound, "revoked"), (nar.Status, nar.Decision));
        Assert.Matches($"revoked \\(no\\. 2, 2026-11-28 .*\\): {NarReason}\n$", nar.Text);
        Assert.Equal("agreed", undone.Decision);
    }

    [Fact]
    public async Task A_revocation_of_a_log_without_a_head_stays_in_force_as_it_is()
    {
        await using var proxy = await OpenAsync();

        var behind = await proxy.AskAsync(BehindRevokedLog.Path);

        Assert.NotEqual("agreed", behind.Decision);
        Assert.Contains("erin=silent(revoked)", behind.Text, StringComparison.Ordinal);
        using var revoker = new Revoker(proxy.Options!);
        var subject = Assert.IsType<RevokedSubject.Log>(Assert.Single(revoker.All(), given => given.Reason is LogReason).Subject);
        Assert.Equal((proxy.Log("erin").Log.Signer.Key.LogId, RevokedSince), (subject.LogId, subject.Since));
    }

    [Fact]
    public async Task All_revocations_are_listed_and_the_next_one_takes_the_next_number()
    {
        await using var proxy = await OpenAsync();
        using var revoker = new Revoker(proxy.Options!);

        var numbers = revoker.All().Select(given => (given.Number, given.IsUndone));
        var (number, _, fault) = await revoker.RevokeAsync(new RevokedSubject.Path(Agreed.Path.Digest), isUndone: false, "no", default);

        Assert.Equal([(1, false), (2, false), (3, false), (4, true), (5, false)], numbers);
        Assert.Equal((6, null), (number, fault));
        Assert.Equal("revoked", (await proxy.AskAsync(Agreed.Path)).Decision);
    }

    [Fact]
    public async Task A_frozen_log_stays_frozen_and_its_evidence_still_proves_the_fault()
    {
        await using var proxy = await OpenAsync();
        using var register = new LogRegister(proxy.Options!.Logs, proxy.StateDirectory);

        var behind = await proxy.AskAsync(BehindFrozenLog.Path);

        Assert.NotEqual("agreed", behind.Decision);
        Assert.Contains("dave=silent(frozen)", behind.Text, StringComparison.Ordinal);
        Assert.StartsWith(
            "frozen: split-view, seen 2026-11-28", register.List().Single(log => log.IsFrozen).State, StringComparison.Ordinal);
        var file = Assert.Single(Directory.GetFiles(Path.Combine(proxy.StateDirectory, "evidence")));
        Assert.True(FaultEvidence.TryVerify(
            await File.ReadAllBytesAsync(file), [proxy.Log("dave").Log.Signer.Key], out var evidence, out var error), $"{error}");
        Assert.Equal("split-view", evidence.Fault.Kind);
    }

    [Fact]
    public async Task The_view_of_a_log_is_kept_a_shorter_history_is_not_believed()
    {
        await using var proxy = await OpenAsync(proxy => proxy.Log("bob").Show(proxy.Log("bob").Log.Fork(1)));

        var answer = await proxy.AskAsync(Undone.Path);
        using var register = new LogRegister(proxy.Options!.Logs, proxy.StateDirectory);

        Assert.DoesNotContain("bob=absent", answer.Text, StringComparison.Ordinal);
        Assert.Equal(5, register.List().Single(log => log.Name is "bob").Size);
    }

    [Fact]
    public async Task A_mirror_decides_without_its_log()
    {
        await using var proxy = await OpenAsync(proxy => proxy.Log("carol").Lie = LogLie.Reset);

        var answer = await proxy.AskAsync(Mirrored.Path);

        Assert.Equal("agreed", answer.Decision);
    }

    [Fact]
    public async Task What_was_voided_refused_and_agreed_is_decided_rightly()
    {
        await using var proxy = await OpenAsync();

        Assert.Equal(("conflict", "undecided", "agreed"), (await DecisionOf(Voided), await DecisionOf(Refused), await DecisionOf(Agreed)));

        async Task<string?> DecisionOf(TestOutput output) => (await proxy.AskAsync(output.Path)).Decision;
    }

    [Fact]
    public async Task The_audit_of_signatures_is_read_on_and_grows()
    {
        await using var proxy = await OpenAsync();
        var since = new DateTimeOffset(2026, 11, 28, 0, 0, 0, TimeSpan.Zero);
        using var audit = new SignatureAudit(proxy.StateDirectory);

        var recorded = audit.Read(since, 100).Take(8).ToList();
        await proxy.AskAsync(Agreed.Path);

        Assert.Contains(Voided.Path.Absolute, recorded[0].Path, StringComparison.Ordinal);
        Assert.All(recorded, entry => Assert.Equal("agreed", entry.Outcome));
        Assert.Contains(
            recorded, entry => entry.Fingerprint == $"1;{Agreed.Path.Absolute};{Agreed.Statement.NarHash};{Agreed.Nar.Length};");
        Assert.Equal(recorded, audit.Read(since, 100).Take(8));
    }

    [Fact]
    public async Task A_nar_of_the_store_is_served_without_an_upstream()
    {
        await using var proxy = await OpenAsync(proxy => proxy.Upstream().Lie = UpstreamLie.Absent);

        var narInfo = await proxy.NarInfoAsync(Agreed);
        var file = await proxy.NarAsync(narInfo);

        Assert.Equal("zstd", narInfo.Compression);
        Assert.Equal(await File.ReadAllBytesAsync(
            Assert.Single(Directory.GetFiles("Vectors/state-0.1/nars", "*.zst", SearchOption.AllDirectories))), file);
    }

    [Fact]
    public async Task It_opens_a_second_time_as_the_version_of_now_left_it()
    {
        await using var proxy = await OpenAsync();
        await proxy.AskAsync(Agreed.Path);

        await proxy.RestartAsync();

        Assert.Equal("agreed", (await proxy.AskAsync(Agreed.Path)).Decision);
        Assert.Equal("revoked", (await proxy.AskAsync(RevokedPath.Path)).Decision);
        Assert.Contains("dave=silent(frozen)", (await proxy.AskAsync(BehindFrozenLog.Path)).Text, StringComparison.Ordinal);
    }

    private static async Task<TestProxy> OpenAsync(Action<TestProxy>? before = null)
    {
        var proxy = await ProxyAsync();
        Copy(new DirectoryInfo($"Vectors/{Folder}"), proxy.StateDirectory);
        before?.Invoke(proxy);
        return await proxy.StartAsync();
    }

    private static void Copy(DirectoryInfo from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in from.EnumerateFiles())
        {
            file.CopyTo(Path.Combine(to, file.Name));
        }

        foreach (var folder in from.EnumerateDirectories())
        {
            Copy(folder, Path.Combine(to, folder.Name));
        }
    }
}
