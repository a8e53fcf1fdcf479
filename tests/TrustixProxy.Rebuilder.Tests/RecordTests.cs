using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Builds;
using TrustixProxy.Rebuilder.Records;
using TrustixProxy.Testing;

namespace TrustixProxy.Rebuilder.Tests;

public sealed class RecordTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly TestOutput _output = TestOutput.Make();
    private readonly StorePath _derivation = TestOutput.PathOf("hello-1.0.drv");

    private string Spool => Path.Combine(_folder.Path, "spool");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_result_is_queued_once_however_often_it_is_written()
    {
        using var records = RecordFolder.Open(Path.Combine(_folder.Path, "rebuilds"));
        var ledger = new BuildLedger(Options(), records, _time);
        var built = ledger.Keep(Built(ledger) with { State = BuildState.Built });

        ledger.Queue(built);
        ledger.Queue(built); // as after a crash before the record said so

        Assert.Single(Directory.GetFiles(Spool, "*.job"));
        var info = File.ReadAllText(Directory.GetFiles(Spool, "*.info").Single());
        Assert.True(PathInfo.TryParse(info, out var described, out var error), error);
        Assert.Equal(_output.Statement.Value, described.Single().Statement.Value);
        Assert.True(described.Single().IsBuiltHere);
        Assert.Equal(BuildState.Queued, ledger.Find(_output.Path)!.State);
    }

    [Fact]
    public void What_excludes_a_name_keeps_it_out_of_the_spool()
    {
        using var records = RecordFolder.Open(Path.Combine(_folder.Path, "rebuilds"));
        var ledger = new BuildLedger(Options() with { Filter = new NameFilter([], ["hello*"]) }, records, _time);

        ledger.Complete(Built(ledger));

        Assert.Equal("[]", File.ReadAllText(Directory.GetFiles(Spool, "*.info").Single()));
    }

    [Fact]
    public void A_failure_is_tried_again_later_and_later_and_then_no_more()
    {
        using var records = RecordFolder.Open(Path.Combine(_folder.Path, "rebuilds"));
        var ledger = new BuildLedger(Options(), records, _time);
        var pauses = new List<TimeSpan?>();
        for (var i = 0; i < 3; i++)
        {
            var begun = ledger.Begin(_output.Path, ledger.Find(_output.Path));
            pauses.Add(ledger.Fail(begun, "no", isFinal: false).RetryAt - _time.GetUtcNow());
        }

        Assert.Equal([TimeSpan.FromMinutes(15), TimeSpan.FromMinutes(30), null], pauses);
        Assert.False(Directory.Exists(Spool));
    }

    [Fact]
    public void A_failure_is_shown_in_one_line_whatever_its_reason()
    {
        var record = new BuildRecord(_output.Path.Absolute, null, BuildState.Failed) { Reason = "error: failed;\n  > no\n\tbuilt x" };

        Assert.Equal($"failed {_output.Path.Absolute}: error: failed; > no built x", $"{record}");
    }

    [Fact]
    public void Waiting_for_inputs_uses_up_no_retry_and_never_ends()
    {
        using var records = RecordFolder.Open(Path.Combine(_folder.Path, "rebuilds"));
        var ledger = new BuildLedger(Options(), records, _time);
        BuildRecord Begin() => ledger.Begin(_output.Path, ledger.Find(_output.Path));
        var waits = Enumerable.Range(0, 7).Select(_ => ledger.Postpone(Begin(), "no input").RetryAt - _time.GetUtcNow()).ToList();

        var failed = ledger.Fail(Begin(), "no", isFinal: false);

        Assert.Equal([15, 30, 60, 120, 240, 240, 240], waits.Select(wait => wait!.Value.TotalMinutes));
        Assert.Equal((1, 7), (failed.Attempts, failed.Waits));
        Assert.Equal(TimeSpan.FromMinutes(15), failed.RetryAt - _time.GetUtcNow());
    }

    [Fact]
    public void Without_a_backoff_a_path_that_waits_is_not_tried_again_at_once()
    {
        using var records = RecordFolder.Open(Path.Combine(_folder.Path, "rebuilds"));
        var ledger = new BuildLedger(Options() with { Backoff = TimeSpan.Zero }, records, _time);

        var waiting = ledger.Postpone(ledger.Begin(_output.Path, null), "no input");

        Assert.Equal(TimeSpan.FromMinutes(1), waiting.RetryAt - _time.GetUtcNow());
    }

    [Fact]
    public void A_build_that_breaks_the_rebuilder_down_goes_on_once_at_once_then_later_and_then_no_more()
    {
        var pauses = new List<TimeSpan?>();
        for (var i = 0; i < 3; i++)
        {
            var record = BreakDown(BuildState.Building);
            pauses.Add(record.RetryAt - _time.GetUtcNow());
            Assert.Equal((BuildState.Interrupted, i + 1, i + 1, true, true),
                (record.State, record.Attempts, record.Interruptions, record.BeganEmpty, record.IsSuspect));
        }

        Assert.Equal([TimeSpan.Zero, TimeSpan.FromMinutes(30), null], pauses);
        using var records = RecordFolder.Open(Path.Combine(_folder.Path, "rebuilds"));
        Assert.Equal($"interrupted {_output.Path.Absolute}: the rebuilder or its machine broke down while it was building, 3 times so far; "
            + "it is built again only if it is named to rebuild", $"{Assert.Single(records.All())}");
    }

    [Fact]
    public void What_breaks_the_rebuilder_down_before_its_build_begins_counts_too_and_an_own_output_is_known_after_it()
    {
        var prepared = BreakDown(BuildState.Preparing);
        BreakDown(BuildState.Building);
        var again = BreakDown(BuildState.Preparing);

        Assert.Equal((1, false), (prepared.Attempts, prepared.BeganEmpty));
        Assert.Equal((3, true, (DateTimeOffset?)null), (again.Attempts, again.BeganEmpty, again.RetryAt));
        Assert.Contains("while it was prepared", again.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rebuilder_that_is_stopped_uses_up_no_retry_and_the_build_goes_on_with_the_next()
    {
        using var records = RecordFolder.Open(Path.Combine(_folder.Path, "rebuilds"));
        var ledger = new BuildLedger(Options(), records, _time);
        for (var i = 0; i < 5; i++)
        {
            ledger.Keep(ledger.Begin(_output.Path, ledger.Find(_output.Path)) with { State = BuildState.Building });
            ledger.Stop(_output.Path);
            ledger.Stop(_output.Path);
        }

        ledger.NoteInterruptions();

        var record = ledger.Find(_output.Path)!;
        Assert.Equal((BuildState.Interrupted, 0, 0, true, _time.GetUtcNow()),
            (record.State, record.Attempts, record.Interruptions, record.BeganEmpty, record.RetryAt));
    }

    [Fact]
    public void What_was_built_before_outlives_failures_interruptions_and_waits_until_another_build_gives_the_same()
    {
        using var records = RecordFolder.Open(Path.Combine(_folder.Path, "rebuilds"));
        var ledger = new BuildLedger(Options(), records, _time);
        BuildRecord Begin()
        {
            _time.Now += TimeSpan.FromMinutes(1);
            return ledger.Begin(_output.Path, ledger.Find(_output.Path));
        }

        ledger.Complete(Built(ledger));
        ledger.Fail(Begin(), "no", isFinal: false);
        ledger.Postpone(Begin(), "no input");
        ledger.Keep(Begin() with { State = BuildState.Building });
        ledger.NoteInterruptions();

        var failed = RecordFolder.Read(Path.Combine(_folder.Path, "rebuilds")).Single();
        var other = ledger.Complete(Begin() with
        {
            Derivation = _derivation.Absolute,
            Outputs = [BuiltOutput.Of(_output.Forge().Statement)],
        });
        var same = ledger.Complete(Begin() with { Outputs = other.Outputs, Derivation = _derivation.Absolute });

        Assert.Equal((BuildState.Interrupted, BuildState.Queued, 2), (failed.State, failed.Before!.State, failed.Attempts));
        Assert.Equal(_output.Statement.NarHash.ToString(), failed.Before.HashOf(_output.Path.Absolute));
        Assert.Contains(_output.Path.Absolute, failed.Answers);
        Assert.Equal(_output.Statement.NarHash.ToString(), other.Before!.HashOf(_output.Path.Absolute));
        Assert.Equal((null, 1), (same.Before, same.Attempts));
        Assert.Equal(3, Directory.GetFiles(Spool, "*.job").Length);
    }

    /// <summary>Begins an attempt, ends the process in the middle of it, and returns what the next process finds.</summary>
    private BuildRecord BreakDown(BuildState at)
    {
        var folder = Path.Combine(_folder.Path, "rebuilds");
        using (var records = RecordFolder.Open(folder))
        {
            var ledger = new BuildLedger(Options(), records, _time);
            ledger.Keep(ledger.Begin(_output.Path, ledger.Find(_output.Path)) with { State = at });
        }

        using var next = RecordFolder.Open(folder);
        new BuildLedger(Options(), next, _time).NoteInterruptions();
        return next.Find(_output.Path.Absolute)!;
    }

    [Fact]
    public void A_damaged_record_is_left_out_and_two_processes_do_not_share_a_folder()
    {
        var folder = Path.Combine(_folder.Path, "rebuilds");
        using var records = RecordFolder.Open(folder);
        records.Write(Built(new BuildLedger(Options(), records, _time)));
        File.WriteAllText(Path.Combine(folder, "x.json"), "{");

        Assert.Equal(_output.Path.Absolute, Assert.Single(RecordFolder.Read(folder)).Path);
        Assert.Contains("another trustix-proxy rebuild", Assert.Throws<IOException>(() => RecordFolder.Open(folder)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "state": "queued" }""")]
    [InlineData("""{ "path": "/etc/passwd", "state": "queued" }""")]
    [InlineData("""{ "path": "PATH", "state": "queued", "outputs": null }""")]
    [InlineData("""{ "path": "PATH", "state": "queued", "outputs": [null] }""")]
    [InlineData("""{ "path": "PATH", "state": "queued", "outputs": [{ "path": "PATH", "narHash": "x", "narSize": 1 }] }""")]
    [InlineData("""{ "path": "PATH", "state": "queued", "reason": null }""")]
    [InlineData("""{ "path": "PATH", "state": "failed", "before": { "path": "PATH", "state": "queued", "outputs": null } }""")]
    [InlineData("""{ "path": "PATH", "state": "lost" }""")]
    [InlineData("null")]
    public void A_record_that_lacks_something_is_left_out(string text)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.Path, "rebuilds")).FullName;
        File.WriteAllText(Path.Combine(folder, "x.json"), text.Replace("PATH", _output.Path.Absolute, StringComparison.Ordinal));

        using var records = RecordFolder.Open(folder);

        Assert.Empty(records.All());
    }

    [Fact]
    public void Of_paths_without_a_derivation_only_the_newest_are_kept()
    {
        var folder = Path.Combine(_folder.Path, "rebuilds");
        using var records = RecordFolder.Open(folder);
        var ledger = new BuildLedger(Options(), records, _time);
        ledger.Complete(Built(ledger));
        ledger.Fail(Built(ledger) with { Path = TestOutput.PathOf("broken").Absolute }, "no", isFinal: true);
        var unknown = Enumerable.Range(0, 5).Select(i => TestOutput.PathOf($"unknown-{i}")).ToList();
        foreach (var path in unknown)
        {
            _time.Now += TimeSpan.FromMinutes(1);
            ledger.Postpone(ledger.Begin(path, null), "no derivation");
        }

        records.Prune(2);

        Assert.Equal(4, records.All().Count);
        Assert.Equal(4, RecordFolder.Read(folder).Count);
        Assert.Equal([false, false, false, true, true], unknown.Select(path => ledger.Find(path) is not null));
    }

    private BuildRecord Built(BuildLedger ledger) => ledger.Begin(_output.Path, null) with
    {
        Derivation = _derivation.Absolute,
        Outputs = [BuiltOutput.Of(_output.Statement)],
    };

    private RebuilderOptions Options() => new()
    {
        Name = "test",
        Store = _folder.Path,
        SpoolDirectory = Spool,
        Substituter = new Uri("http://127.0.0.1:8080"),
        Systems = ["x86_64-linux"],
    };
}
