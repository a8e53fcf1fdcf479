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
    public void An_interrupted_build_goes_on_as_the_same_attempt()
    {
        var folder = Path.Combine(_folder.Path, "rebuilds");
        BuildRecord begun;
        using (var records = RecordFolder.Open(folder))
        {
            begun = new BuildLedger(Options(), records, _time).Keep(new BuildLedger(Options(), records, _time).Begin(_output.Path, null));
        }

        using var again = RecordFolder.Open(folder);
        var ledger = new BuildLedger(Options(), again, _time);

        Assert.Equivalent(begun, ledger.Begin(_output.Path, ledger.Find(_output.Path)));
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
