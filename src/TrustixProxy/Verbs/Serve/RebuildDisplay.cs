using System.Globalization;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Records;

namespace TrustixProxy.Verbs.Serve;

/// <summary>Shows how far rebuilding is: a line on standard output for each build that ended, and on a terminal below them one line on
/// standard error about the builds under way.</summary>
internal sealed class RebuildDisplay : IDisposable
{
    private const string EraseLine = "\r\e[K";

    /// <summary>Width of a terminal that does not know its own.</summary>
    private const int UsualWidth = 80;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly Lock _turn = new();
    private readonly List<(StorePath Path, long Since)> _running = [];
    private readonly int? _all;
    private readonly Func<BuildRecord, IEnumerable<string>> _linesOf;
    private readonly TimeProvider _time;
    private readonly ITimer? _redrawing;
    private int _ended, _failed;
    private bool _isOver;

    /// <param name="all">Number of builds; null where it is not known.</param>
    /// <param name="linesOf">What is printed of a build that ended.</param>
    public RebuildDisplay(int? all, Func<BuildRecord, IEnumerable<string>> linesOf, TimeProvider time)
    {
        (_all, _linesOf, _time) = (all, linesOf, time);
        _redrawing = IsTerminal ? time.CreateTimer(_ => Draw(), null, TimeSpan.Zero, Second) : null;
    }

    /// <summary>Whether somebody sees standard error, on a terminal that can erase a line.</summary>
    public static bool IsTerminal =>
        !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is { Length: > 0 } and not "dumb";

    /// <summary>Shows that work on a path begins.</summary>
    public void Begin(StorePath path)
    {
        lock (_turn)
        {
            _running.Add((path, _time.GetTimestamp()));
            Draw();
        }
    }

    /// <summary>Prints what a build came to.</summary>
    /// <param name="path">The path that <see cref="Begin"/> was told.</param>
    public void End(StorePath path, BuildRecord record)
    {
        lock (_turn)
        {
            _running.RemoveAll(build => build.Path == path);
            (_ended, _failed) = (_ended + 1, _failed + (record.IsBuilt ? 0 : 1));
            Erase();
            foreach (var line in _linesOf(record))
            {
                Console.WriteLine(line);
            }

            Draw();
        }
    }

    /// <summary>Prints a message above the line.</summary>
    /// <param name="message">Prints it.</param>
    public void Tell(Action message)
    {
        lock (_turn)
        {
            Erase();
            message();
            Draw();
        }
    }

    /// <summary>Takes the line away.</summary>
    public void Dispose()
    {
        lock (_turn)
        {
            Erase();
            _isOver = true;
        }

        _redrawing?.Dispose();
    }

    private string Text => (_all is { } all ? $"{_ended} of {all} builds done" : $"{_ended} builds done")
        + (_failed > 0 ? $", {_failed} failed" : "")
        + (_running.Count is 0 ? _all is null ? "; waiting for work" : ""
            : $"; building {string.Join(", ", _running.Select(build => $"{build.Path.Name} {Since(build.Since)}"))}");

    private string Since(long begun)
    {
        var time = _time.GetElapsedTime(begun);
        return string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours:00}:{time.Minutes:00}:{time.Seconds:00}");
    }

    private void Draw()
    {
        lock (_turn)
        {
            if (_redrawing is not null && !_isOver)
            {
                var (text, width) = (Text, (Console.WindowWidth is > 1 and var columns ? columns : UsualWidth) - 1);
                Console.Error.Write(EraseLine + (text.Length > width ? $"{text[..(width - 1)]}…" : text));
            }
        }
    }

    private void Erase()
    {
        if (_redrawing is not null)
        {
            Console.Error.Write(EraseLine);
        }
    }
}
