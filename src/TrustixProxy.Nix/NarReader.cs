using System.Buffers.Binary;

namespace TrustixProxy.Nix;

/// <summary>Checks a streaming NAR against the strict grammar, in constant memory.</summary>
/// <remarks>The grammar and limits of current Nix (<c>src/libutil/archive.cc</c>, 2.34 and later); older versions let more pass, but write
/// nothing else.
/// <code>
/// nar  = "nix-archive-1" node
/// node = "(" "type" ( "regular" ["executable" ""] "contents" bytes | "symlink" "target" text | "directory" entry* ) ")"
/// entry = "entry" "(" "name" text "node" node ")"
/// </code>
/// Each word is its length as 64 little-endian bits, its bytes, and zeros up to a multiple of 8.</remarks>
/// <param name="allowsCaseHack">Whether a name may contain the mark of macOS clients, as it may where a quorum vouches for it.</param>
public sealed class NarReader(bool allowsCaseHack = false)
{
    private const int MaxDepth = 64, MaxTag = 32, MaxName = 255, MaxTarget = 4095;

    /// <summary>The mark that macOS clients add to unpacked names; in an archive it could collide with one of theirs.</summary>
    private static ReadOnlySpan<byte> CaseHack => "~nix~case~hack~"u8;

    private readonly byte[] _word = new byte[8 + MaxTarget + 1];
    private readonly Stack<byte[]> _lastNames = new();
    private State _state = State.Magic;
    private int _filled;         // bytes of the current word, its length field included, that are in _word
    private long _fileRemaining; // bytes of a file's contents and padding that are still to come
    private int _filePadding;    // how many of those are padding
    private NarError _error;
    private NarEvent _event;

    private enum State
    {
        Magic, NodeOpen, TypeTag, Type, RegularTag, ExecutableValue, ContentsTag, FileSize, FileBytes, TargetTag, Target,
        NodeClose, EntryTag, EntryOpen, NameTag, Name, NodeTag, EntryClose, End,
    }

    /// <summary>The last entry's name, or the last link's target, that <see cref="NarEvent"/> reported; valid until more bytes are
    /// read.</summary>
    public ReadOnlySpan<byte> Word => _word.AsSpan(8, WordLength);

    /// <summary>Whether the last reported file is executable.</summary>
    public bool IsExecutable { get; private set; }

    /// <summary>Length of the last reported file, in bytes.</summary>
    public long FileSize { get; private set; }

    /// <summary>Checks the next bytes, however they are split. The first error is final.</summary>
    public NarError Append(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0 && _error is NarError.None)
        {
            bytes = bytes[Step(bytes)..];
        }

        return _error;
    }

    /// <summary>Reads bytes up to the next element of the archive, or all of them. Skips file contents.</summary>
    /// <param name="bytes">The next bytes.</param>
    /// <param name="taken">Number of bytes read.</param>
    /// <param name="happened">The element; <see cref="NarEvent.None"/> when all bytes were read before one, and after an error.</param>
    public NarError Read(ReadOnlySpan<byte> bytes, out int taken, out NarEvent happened)
    {
        (taken, _event) = (0, NarEvent.None);
        while (taken < bytes.Length && _error is NarError.None && _event is NarEvent.None)
        {
            taken += Step(bytes[taken..]);
        }

        happened = _error is NarError.None ? _event : NarEvent.None;
        return _error;
    }

    /// <summary>Ends the archive; returns the error, if any.</summary>
    public NarError Complete() => _error is NarError.None && _state is not State.End ? NarError.Truncated : _error;

    private int Step(ReadOnlySpan<byte> bytes) => _state is State.FileBytes ? SkipFile(bytes) : FillWord(bytes);

    /// <summary>Reads bytes of a word; handles the word once it is complete.</summary>
    private int FillWord(ReadOnlySpan<byte> bytes)
    {
        if (_state is State.End)
        {
            _error = NarError.TrailingBytes;
            return bytes.Length;
        }

        var wanted = _filled < 8 ? 8 : 8 + Padded(WordLength);
        var taken = Math.Min(wanted - _filled, bytes.Length);
        bytes[..taken].CopyTo(_word.AsSpan(_filled));
        _filled += taken;
        if (_filled == 8)
        {
            _error = CheckLength();
        }

        if (_error is NarError.None && _filled >= 8 && (_state is State.FileSize || _filled == 8 + Padded(WordLength)))
        {
            _error = HandleWord();
            _filled = 0;
        }

        return taken;
    }

    private ulong Length => BinaryPrimitives.ReadUInt64LittleEndian(_word);

    private int WordLength => (int)Length;

    private static int Padded(int length) => (length + 7) & ~7;

    private NarError CheckLength() => _state switch
    {
        State.FileSize => Length > long.MaxValue - 8 ? NarError.FileSize : NarError.None,
        State.Name => Length is 0 or > MaxName ? NarError.NameLength : NarError.None,
        State.Target => Length is 0 or > MaxTarget ? NarError.TargetLength : NarError.None,
        _ => Length > MaxTag ? NarError.TagLength : NarError.None,
    };

    private NarError HandleWord()
    {
        if (_state is State.FileSize)
        {
            FileSize = (long)Length;
            _filePadding = (int)(-FileSize & 7);
            _fileRemaining = FileSize + _filePadding;
            return Go(_fileRemaining is 0 ? State.NodeClose : State.FileBytes, NarEvent.File);
        }

        ReadOnlySpan<byte> word = _word.AsSpan(8, WordLength);
        return _word.AsSpan(8 + WordLength, Padded(WordLength) - WordLength).ContainsAnyExcept((byte)0)
            ? NarError.Padding
            : _state switch
            {
                State.Name => HandleName(word),
                State.Target => word.Contains((byte)0) ? NarError.Target : Go(State.NodeClose, NarEvent.Symlink),
                State.Magic => word.SequenceEqual("nix-archive-1"u8) ? Go(State.NodeOpen) : NarError.Magic,
                _ => HandleTag(word),
            };
    }

    private NarError HandleTag(ReadOnlySpan<byte> word) => _state switch
    {
        State.NodeOpen when word.SequenceEqual("("u8) => _lastNames.Count < MaxDepth ? Go(State.TypeTag) : NarError.Depth,
        State.TypeTag when word.SequenceEqual("type"u8) => Go(State.Type),
        State.Type when word.SequenceEqual("regular"u8) => OpenFile(),
        State.Type when word.SequenceEqual("symlink"u8) => Go(State.TargetTag),
        State.Type when word.SequenceEqual("directory"u8) => OpenDirectory(),
        State.RegularTag when word.SequenceEqual("executable"u8) => OpenFile(isExecutable: true),
        State.RegularTag or State.ContentsTag when word.SequenceEqual("contents"u8) => Go(State.FileSize),
        State.ExecutableValue when word.IsEmpty => Go(State.ContentsTag),
        State.TargetTag when word.SequenceEqual("target"u8) => Go(State.Target),
        State.NodeClose when word.SequenceEqual(")"u8) => CloseNode(),
        State.EntryTag when word.SequenceEqual("entry"u8) => Go(State.EntryOpen),
        State.EntryTag when word.SequenceEqual(")"u8) => CloseDirectory(),
        State.EntryOpen when word.SequenceEqual("("u8) => Go(State.NameTag),
        State.NameTag when word.SequenceEqual("name"u8) => Go(State.Name),
        State.NodeTag when word.SequenceEqual("node"u8) => Go(State.NodeOpen),
        State.EntryClose when word.SequenceEqual(")"u8) => Go(State.EntryTag),
        _ => NarError.Tag,
    };

    private NarError HandleName(ReadOnlySpan<byte> name)
    {
        if (name is [(byte)'.'] or [(byte)'.', (byte)'.'] || name.ContainsAny((byte)'/', (byte)0)
            || (!allowsCaseHack && name.IndexOf(CaseHack) >= 0))
        {
            return NarError.Name;
        }

        if (name.SequenceCompareTo(_lastNames.Pop()) <= 0)
        {
            return NarError.NameOrder;
        }

        _lastNames.Push(name.ToArray());
        return Go(State.NodeTag, NarEvent.Entry);
    }

    private NarError OpenDirectory()
    {
        _lastNames.Push([]);
        return Go(State.EntryTag, NarEvent.Directory);
    }

    private NarError OpenFile(bool isExecutable = false)
    {
        IsExecutable = isExecutable;
        return Go(isExecutable ? State.ExecutableValue : State.RegularTag);
    }

    private NarError CloseDirectory()
    {
        _lastNames.Pop();
        return CloseNode();
    }

    private NarError CloseNode() => Go(_lastNames.Count is 0 ? State.End : State.EntryClose, NarEvent.Close);

    private NarError Go(State next, NarEvent happened = NarEvent.None)
    {
        (_state, _event) = (next, happened);
        return NarError.None;
    }

    /// <summary>Skips a file's contents; checks only its padding.</summary>
    private int SkipFile(ReadOnlySpan<byte> bytes)
    {
        var taken = (int)Math.Min(_fileRemaining, bytes.Length);
        _fileRemaining -= taken;
        var padding = (int)Math.Max(0, Math.Min(taken, _filePadding - _fileRemaining));
        _error = bytes[(taken - padding)..taken].ContainsAnyExcept((byte)0) ? NarError.Padding : NarError.None;
        _state = _fileRemaining is 0 ? State.NodeClose : State.FileBytes;
        return taken;
    }
}
